// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "shardmark/core/result.hpp"

namespace shardmark {

/// Local. That the partial checkpoint `path`, just made on `host_of_root`, is seen here: a path may
/// lead elsewhere on another node. Errors: invalid_argument naming both hosts.
Status check_same_folder(const std::string& path, const std::string& host_of_root);

}  // namespace shardmark
