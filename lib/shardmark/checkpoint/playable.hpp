// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "shardmark/checkpoint/save_options.hpp"
#include "shardmark/core/result.hpp"

namespace shardmark {

/// Local, the same on all ranks. Whether SaveOptions::played goes with the other options and with
/// this many ranks. Errors: invalid_argument saying why not.
Status check_can_be_played(const SaveOptions& options, int num_ranks);

}  // namespace shardmark
