// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "shardmark/core/result.hpp"
#include "shardmark/plan/merge/local_save_plan.hpp"
#include "shardmark/plan/merge/merged_plans.hpp"
#include "shardmark/plan/owners/dedup.hpp"
#include "shardmark/plan/owners/save_plan.hpp"

namespace shardmark {

/// Local. What local plans of a save under `policy` must say.
constexpr EmptyBoxes empty_boxes_for(DedupPolicy policy) noexcept {
  return policy == DedupPolicy::dcp ? EmptyBoxes::keep : EmptyBoxes::leave_out;
}

/// Whether chunks must cover their tensors, each element once. Not where ranks are missing, and
/// somebody who knows of all has looked.
enum class Cover : std::uint8_t { whole, not_looked_at };

/// Local. The coordinator's decision over the plans of all ranks: validates (every element of every
/// tensor in exactly one chunk, whatever the world size), de-duplicates and balances. Errors:
/// invalid_argument naming the fqn and the first element that is missing or doubled.
Result<GlobalSavePlan> make_global_plan(MergedPlans merged, int world_size, DedupPolicy policy,
                                        Cover cover = Cover::whole);

}  // namespace shardmark
