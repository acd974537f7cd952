// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/commands/torture_command.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "bench/machine/launch.hpp"

namespace shardmark::bench {
namespace {

namespace fs = std::filesystem;

std::string python() {
  const char* chosen = std::getenv("SHARDMARK_PYTHON");
  return chosen == nullptr || *chosen == '\0' ? "python3" : chosen;
}

/// The source tree's, then the installed one beside the executable, as configurations are found.
std::vector<std::string> script_places(const fs::path& executable) {
  const fs::path prefix = executable.parent_path().parent_path();
  return {SHARDMARK_SOURCE_SCRIPTS "/torture",
          (prefix / "share/shardmark/scripts/torture").string()};
}

}  // namespace

std::vector<std::string> torture_words(const TortureArguments& arguments, const std::string& script,
                                       const std::string& shardmark) {
  std::vector<std::string> words = {script, "--shardmark=" + shardmark,
                                    "--dir=" + arguments.directory};
  const auto add = [&](const char* option, const auto& value) {
    if (value) {
      words.push_back(fmt::format("{}={}", option, *value));
    }
  };
  add("--kinds", arguments.kinds);
  add("--count", arguments.count);
  add("--seed", arguments.seed);
  add("--from", arguments.from);
  add("--launcher", arguments.launcher);
  if (arguments.quick) {
    words.emplace_back("--quick");
  }
  if (arguments.json) {
    words.emplace_back("--json");
  }
  return words;
}

Result<CommandOutput> torture_command(const TortureArguments& arguments) {
  if (const Launch launch = detect_launch(); launch.launched && launch.size != 1) {
    return Error{
        ErrorCode::invalid_argument,
        fmt::format("torture starts ranks itself, by --launcher; start it without one ({})",
                    launch.variables)};
  }
  std::error_code error;
  const fs::path executable = fs::read_symlink("/proc/self/exe", error);
  if (error) {
    return Error{ErrorCode::not_found,
                 fmt::format("/proc/self/exe, which names this program: {}", error.message())};
  }
  const std::vector<std::string> places = script_places(executable);
  for (const std::string& place : places) {
    if (!fs::is_regular_file(place, error)) {
      continue;
    }
    std::vector<std::string> words = torture_words(arguments, place, executable.string());
    words.insert(words.begin(), python());
    std::vector<char*> pointers;
    for (std::string& word : words) {
      pointers.push_back(word.data());
    }
    pointers.push_back(nullptr);
    ::setenv("PYTHONDONTWRITEBYTECODE", "1", 0);  // the scripts' folder may be another user's
    ::execvp(pointers.front(), pointers.data());
    return Error{ErrorCode::not_found,
                 fmt::format("torture needs {}, which cannot be started: {}; set SHARDMARK_PYTHON "
                             "to a Python from 3.11 on",
                             words.front(), std::strerror(errno))};
  }
  return Error{ErrorCode::not_found,
               fmt::format("torture's script was not found; tried {}", fmt::join(places, ", "))};
}

}  // namespace shardmark::bench
