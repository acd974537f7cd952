// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "shardmark/core/result.hpp"

namespace shardmark::bench {

/// Local. The folders that hold models/ layouts/ storage/ suites/, first match first: those of
/// $SHARDMARK_CONFIG_PATH (colon-separated), the source tree's, the installed ones beside the
/// executable.
std::vector<std::string> config_roots();

/// Local. What CONFIG may be without a path: the names under suites/ of `roots`, sorted.
std::vector<std::string> suite_names(std::span<const std::string> roots);

/// Local. The file that CONFIG means: a path if it has a '/' or ends in .toml, else a name under
/// suites/ in one of `roots`. Errors: not_found naming all places tried and the nearest name.
Result<std::string> find_config(const std::string& config, std::span<const std::string> roots);

/// Local. The file of `include = ["models/x"]` in `including_file`: below its own root if it has
/// one, then below `roots`. Errors: not_found naming all places tried and the nearest name.
Result<std::string> find_piece(const std::string& piece, const std::string& including_file,
                               std::span<const std::string> roots);

}  // namespace shardmark::bench
