// SPDX-License-Identifier: Apache-2.0
#include "shardmark/core/box.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace shardmark {
namespace {

using Grid = std::vector<int>;

/// Adds one to every element of `box` in a row-major grid, one index at a time.
void paint(Grid& grid, const Dims& sizes, const Box& box) {
  for (std::int64_t i = 0; i < volume(sizes); ++i) {
    std::int64_t rest = i;
    bool inside = true;
    for (int d = sizes.ndim() - 1; d >= 0; --d) {
      const std::int64_t at = rest % sizes[d];
      rest /= sizes[d];
      inside = inside && at >= box.offsets[d] && at < box.offsets[d] + box.sizes[d];
    }
    grid[static_cast<std::size_t>(i)] += inside ? 1 : 0;
  }
}

class RandomBoxes : public ::testing::Test {
 protected:
  int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  Box box_in(const Dims& sizes) {
    Box box = whole_box(sizes);
    for (int d = 0; d < sizes.ndim(); ++d) {
      box.offsets[d] = pick(0, static_cast<int>(sizes[d]));
      box.sizes[d] = pick(0, static_cast<int>(sizes[d] - box.offsets[d]));
    }
    return box;
  }
  Dims sizes(int high) {
    Dims extents = Dims::filled(pick(0, 4), 0);
    std::generate(extents.begin(), extents.end(), [&] { return pick(0, high); });
    return extents;
  }

  const unsigned seed_ = std::random_device()();
  std::mt19937 random_{seed_};
};

TEST_F(RandomBoxes, IntersectContainsRunsAndSlabsAgainstPainting) {
  SCOPED_TRACE("seed " + std::to_string(seed_));
  for (int round = 0; round < 500 && !HasFailure(); ++round) {
    const Dims extents = sizes(6);
    const auto cells = static_cast<std::size_t>(volume(extents));
    const Box a = box_in(extents);
    const Box b = box_in(extents);
    SCOPED_TRACE(to_string(a) + " and " + to_string(b) + " in " + to_string(extents));

    Grid both(cells, 0);
    paint(both, extents, a);
    paint(both, extents, b);
    Grid common(cells, 0);
    if (const auto met = intersect(a, b)) {
      paint(common, extents, *met);
      EXPECT_FALSE(met->empty());
    }
    for (std::size_t i = 0; i < cells; ++i) {
      EXPECT_EQ(common[i], both[i] == 2 ? 1 : 0);
    }
    if (!a.empty()) {
      const auto met = intersect(a, b);
      EXPECT_EQ(contains(b, a), met && *met == a);
    }

    Grid expected(cells, 0);
    paint(expected, extents, a);
    Grid runs(cells, 0);
    std::int64_t past = -1;
    for_each_run(a, extents, [&](std::int64_t offset, std::int64_t count) {
      EXPECT_GT(offset, past) << "ascending, and runs that touch are one";
      EXPECT_GT(count, 0);
      past = offset + count - 1;
      for (std::int64_t i = offset; i < offset + count; ++i) {
        ++runs.at(static_cast<std::size_t>(i));
      }
    });
    EXPECT_EQ(runs, expected);

    Grid slabs(cells, 0);
    const std::int64_t most = pick(1, 20);
    for_each_slab(a, most, [&](const Box& slab) {
      EXPECT_LE(slab.num_elements(), most);
      paint(slabs, extents, slab);
    });
    EXPECT_EQ(slabs, expected);
  }
}

TEST(Box, ScalarsMeetAndHoldOneElement) {
  const Box scalar = whole_box({});
  EXPECT_FALSE(scalar.empty());
  EXPECT_EQ(scalar.num_elements(), 1);
  EXPECT_EQ(intersect(scalar, scalar), scalar);
  EXPECT_EQ(to_string(Box{{0, 4}, {2, 4}}), "[0, 4]+[2, 4]");
  EXPECT_FALSE(contains(whole_box({1}), scalar)) << "another number of dimensions";
}

}  // namespace
}  // namespace shardmark
