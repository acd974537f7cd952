// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/commands/torture_command.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "bench/machine/launch.hpp"
#include "bench/machine/own_script.hpp"

namespace shardmark::bench {
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
  SHARDMARK_ASSIGN_OR_RETURN(const std::string executable, own_executable());
  SHARDMARK_ASSIGN_OR_RETURN(const std::string script, find_own_script("torture", executable));
  std::vector<std::string> words = torture_words(arguments, script, executable);
  words.insert(words.begin(), python_for_scripts());
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

}  // namespace shardmark::bench
