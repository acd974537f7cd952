// SPDX-License-Identifier: Apache-2.0
#include "bench/machine/own_script.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace shardmark::bench {

namespace fs = std::filesystem;

Result<std::string> own_executable() {
  std::error_code error;
  const fs::path executable = fs::read_symlink("/proc/self/exe", error);
  if (error) {
    return Error{ErrorCode::not_found,
                 fmt::format("/proc/self/exe, which names this program: {}", error.message())};
  }
  return executable.string();
}

Result<std::string> find_own_script(std::string_view name, const std::string& executable) {
  const fs::path prefix = fs::path(executable).parent_path().parent_path();
  const std::array<std::string, 2> places = {(prefix / "share/shardmark/scripts" / name).string(),
                                             (fs::path(SHARDMARK_SOURCE_SCRIPTS) / name).string()};
  for (const std::string& place : places) {
    std::error_code error;
    if (fs::is_regular_file(place, error)) {
      return place;
    }
  }
  return Error{ErrorCode::not_found, fmt::format("this program's script \"{}\" was not found; "
                                                 "tried {}",
                                                 name, fmt::join(places, ", "))};
}

std::string python_for_scripts() {
  const char* chosen = std::getenv("SHARDMARK_PYTHON");
  return chosen == nullptr || *chosen == '\0' ? "python3" : chosen;
}

}  // namespace shardmark::bench
