// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/workload/placement_rules.hpp"

namespace shardmark {

/// What the configuration says. A degree that is not given is derived; -1 is the rest of the world.
struct ParallelOptions {
  std::string strategy;
  std::optional<std::int64_t> dp_replicate;
  std::optional<std::int64_t> dp_shard;
  std::optional<std::int64_t> tp;
  std::optional<std::int64_t> pp;
  std::optional<std::int64_t> ep;
  std::string order = "tp-dp-pp";  // ranks, fastest first; or "tp-pp-dp". dp: dp_shard first
  // Of block-cyclic only.
  std::optional<std::int64_t> grid_rows;  // default: the largest divisor up to the square root
  std::int64_t block_size = 256;          // elements, in both dimensions
  std::vector<PlacementRule> rules = {};  // before the strategy's own
};

/// How many ways each kind of parallelism divides the world; the product is the world size.
struct ParallelDegrees {
  std::int64_t dp_replicate = 1;
  std::int64_t dp_shard = 1;
  std::int64_t tp = 1;
  std::int64_t pp = 1;
  std::int64_t ep = 1;

  friend bool operator==(const ParallelDegrees&, const ParallelDegrees&) = default;
};

enum class StrategyKind : std::uint8_t {
  ddp,
  zero1,
  fsdp,
  hsdp,
  fsdp_tp,
  megatron,
  flat_fsdp,
  megatron_dist,
  ep,
  block_cyclic
};

/// Local. Derives the degrees that `options` leaves out. The rest of the world goes to dp_replicate
/// (ddp, zero1, megatron) or dp_shard (fsdp, hsdp, fsdp-tp); hsdp takes dp_replicate = 2 in an even
/// world; megatron the largest power of two up to 8 that divides the world as tp, fsdp-tp likewise
/// up to the world's square root. Errors: invalid_argument.
Result<ParallelDegrees> derive_degrees(StrategyKind kind, const ParallelOptions& options,
                                       std::int64_t world_size);

}  // namespace shardmark
