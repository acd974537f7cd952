// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "shardmark/core/result.hpp"

namespace shardmark {

/// Local. Removes `name` below `directory`, a folder of the finished save `found_id`, so that a
/// crash at any point leaves it complete or as leftovers that a later save sweeps. Errors:
/// invalid_argument unless `found_id` begins with `save_id`; io_error.
Status remove_saved(const std::string& directory, const std::string& name,
                    const std::string& found_id, const std::string& save_id);

}  // namespace shardmark
