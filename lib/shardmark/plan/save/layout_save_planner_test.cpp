// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <memory>

#include "shardmark/plan/save/save_planner.hpp"
#include "shardmark/testing/virtual_state.hpp"

namespace shardmark {
namespace {

using shardmark::testing::RandomSource;
using shardmark::testing::VirtualState;

TEST(SavePlanner, LayoutsNeedOneAllReduceAndNothingElse) {
  RandomSource random;
  VirtualState state(random, 64, 10, false);
  LocalPlanExchange exchange(64);
  const auto planner = make_layout_save_planner(DedupPolicy::balanced);
  const auto planned =
      planner->plan({.state_dict_of = [&](int rank) -> Result<const StateDict*> {
                       state.move_to(rank);
                       return &state.state;
                     },
                     .exchange = exchange,
                     .take = [](int, const std::shared_ptr<const SavePlan>&) { return Status(); }});
  ASSERT_TRUE(planned);
  EXPECT_EQ(exchange.traffic().messages, 63U);  // those of one all-reduce
  EXPECT_EQ(exchange.traffic().bytes_gathered + exchange.traffic().bytes_scattered +
                exchange.traffic().bytes_broadcast,
            0U);
}

}  // namespace
}  // namespace shardmark
