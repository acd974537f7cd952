// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "shardmark/core/result.hpp"

namespace shardmark {

/// Local. The HDF5 link name of an fqn: bytes below 0x20, 0x7F, '/' and '%' become %XX, the fqn "."
/// is "%2E", the empty one
/// "%". Errors: invalid_argument above 60,000 bytes (HDF5's limit for one link) or for invalid
/// UTF-8.
Result<std::string> dataset_name(std::string_view fqn);

/// Local. The inverse. Errors: data_loss for a name that dataset_name() does not give.
Result<std::string> fqn_of_dataset(std::string_view name);

}  // namespace shardmark
