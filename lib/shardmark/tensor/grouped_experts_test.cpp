// SPDX-License-Identifier: Apache-2.0
// Which cuts a stack of experts may have.
#include "shardmark/tensor/grouped_experts.hpp"

#include <gtest/gtest.h>

#include "shardmark/tensor/planned_memory_test_fixture.hpp"

namespace shardmark {
namespace {

using shardmark::testing::planned;

TEST(GroupedExperts, RefusesOtherCutsOfTheExperts) {
  const DeviceMesh mesh = DeviceMesh::row_major({2}).value();
  const auto made = [&](const Dims& sizes, const char* placements, const Dims& local) {
    const auto layout =
        make_tensor_layout(sizes, Dtype::float32, mesh, parse_placements(placements).value());
    return GroupedExperts::from_local(planned(local), *layout, 0);
  };
  EXPECT_TRUE(made({4, 3}, "S(0)", {2, 3}));
  EXPECT_FALSE(made({4, 3}, "S(1)", {4, 2})) << "the experts are not dealt out";
  EXPECT_FALSE(made({4}, "S(0)", {2})) << "no dimension besides the experts";
  EXPECT_FALSE(made({4, 3}, "SS(0,2)", {2, 3})) << "strided";
  EXPECT_FALSE(made({4, 3}, "S(0)", {2, 3})->expert(4));
}

}  // namespace
}  // namespace shardmark
