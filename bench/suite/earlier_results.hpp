// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "bench/machine/run_context.hpp"
#include "shardmark/core/result.hpp"

namespace shardmark::bench {

/// Local. Whether results of this run may take the place of what lies in `directory`: nothing, or
/// results of the same configuration (but for storage.directory) and number of ranks. Errors:
/// invalid_argument naming the file and what differs, or that it cannot be told.
Status check_earlier_results(const std::string& directory, const RunContext& context);

}  // namespace shardmark::bench
