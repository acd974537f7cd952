// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "shardmark/plan/merge/local_save_plan.hpp"
#include "shardmark/plan/save/make_global_plan.hpp"
#include "shardmark/testing/box_tensor.hpp"

namespace shardmark::testing {

/// Plans for one state dict a rank.
inline Result<GlobalSavePlan> plan_for(std::span<const BoxState> ranks,
                                       DedupPolicy policy = DedupPolicy::balanced) {
  MergedPlans merged(0, policy == DedupPolicy::dcp);
  std::vector<WriteItem> items;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    SHARDMARK_RETURN_IF_ERROR(collect_write_items(ranks[rank].state, items));
    ByteWriter out;
    SHARDMARK_RETURN_IF_ERROR(encode_local_save_plan(items, EmptyBoxes::leave_out, out));
    SHARDMARK_RETURN_IF_ERROR(merged.add(static_cast<int>(rank), out.bytes()));
  }
  return make_global_plan(std::move(merged), static_cast<int>(ranks.size()), policy);
}

/// One tensor "w", the boxes of each rank.
inline Result<GlobalSavePlan> plan_boxes(const Dims& sizes,
                                         const std::vector<std::vector<Box>>& ranks,
                                         DedupPolicy policy = DedupPolicy::balanced) {
  std::vector<BoxState> states(ranks.size());
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    states[rank].add("w", {sizes, Dtype::float32, ranks[rank]});
  }
  return plan_for(states, policy);
}

inline std::string message_of(const Result<GlobalSavePlan>& plan) {
  EXPECT_FALSE(plan);
  if (plan) {
    return "";
  }
  EXPECT_EQ(plan.error().code, ErrorCode::invalid_argument);
  return plan.error().message;
}

}  // namespace shardmark::testing
