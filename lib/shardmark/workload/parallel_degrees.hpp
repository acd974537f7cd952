// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "shardmark/core/result.hpp"
#include "shardmark/workload/strategy.hpp"

namespace shardmark {

/// Local. Derives the degrees that `options` leaves out. The rest of the world goes to dp_replicate
/// (ddp, zero1, megatron) or dp_shard (fsdp, hsdp, fsdp-tp); hsdp takes dp_replicate = 2 in an even
/// world; megatron the largest power of two up to 8 that divides the world as tp, fsdp-tp likewise
/// up to the world's square root. Errors: invalid_argument.
Result<ParallelDegrees> derive_degrees(StrategyKind kind, const ParallelOptions& options,
                                       std::int64_t world_size);

}  // namespace shardmark
