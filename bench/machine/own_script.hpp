// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "shardmark/core/result.hpp"

namespace shardmark::bench {

/// Local. This program's path. Errors: not_found without /proc.
Result<std::string> own_executable();

/// Local. The path of a script of this program: the one installed with it, else the source tree's,
/// which may be of another version by now. `executable` is this program's path. Errors: not_found,
/// with the places.
Result<std::string> find_own_script(std::string_view name, const std::string& executable);

/// Local. What starts scripts: SHARDMARK_PYTHON, else "python3".
std::string python_for_scripts();

}  // namespace shardmark::bench
