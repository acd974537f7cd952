// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>
#include <vector>

#include "bench/harness/run/same_on_all_ranks.hpp"
#include "shardmark/testing/mpi_world.hpp"

namespace shardmark::bench {
namespace {

using shardmark::testing::world;

TEST(SameOnAllRanks, NamesTheFirstWordThatDiffersAndItsRank) {
  EXPECT_TRUE(same_on_all_ranks("words", {"a", "", "b c"}, world()));
  EXPECT_TRUE(same_on_all_ranks("words", {}, world()));
  const int last = world().size() - 1;
  if (last == 0) {
    return;
  }
  const bool odd = world().rank() == last;
  const Status changed = same_on_all_ranks("words", {"a", odd ? "bad" : "bat", "c"}, world());
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().message,
            "ranks were started with different words: 'bad' here, 'bat' on rank 0");
  EXPECT_EQ(changed.error().rank, last);
  EXPECT_EQ(changed.error().code, ErrorCode::invalid_argument);
  const std::vector<std::string> more = {"a", "b"};
  const Status longer =
      same_on_all_ranks("words", odd ? more : std::vector<std::string>{"a"}, world());
  ASSERT_FALSE(longer);
  EXPECT_EQ(longer.error().message,
            "ranks were started with different words: 'b' here, nothing more on rank 0");
}

}  // namespace
}  // namespace shardmark::bench
