// SPDX-License-Identifier: Apache-2.0
// The cover check against a painter that counts every element.
#include "shardmark/core/cover.hpp"

#include <gtest/gtest.h>

#include "shardmark/testing/random_source.hpp"

namespace shardmark {
namespace {

using shardmark::testing::RandomSource;
using Kind = CoverDefect::Kind;

/// Paints every box; the first element, in row-major order, that is not painted once.
std::optional<CoverDefect> first_defect(const Dims& sizes, std::span<const Box> boxes) {
  std::vector<int> count(static_cast<std::size_t>(volume(sizes)), 0);
  const auto for_each = [](const Dims& from, const Dims& extent, const auto& take) {
    Dims at = Dims::filled(extent.ndim(), 0);
    const std::int64_t total = volume(extent);
    for (std::int64_t i = 0; i < total; ++i) {
      std::int64_t rest = i;
      for (int d = extent.ndim() - 1; d >= 0; --d) {
        at[d] = from[d] + rest % extent[d];
        rest /= extent[d];
      }
      take(at);
    }
  };
  const auto position = [&](const Dims& at) {
    std::int64_t linear = 0;
    for (int d = 0; d < sizes.ndim(); ++d) {
      linear = linear * sizes[d] + at[d];
    }
    return static_cast<std::size_t>(linear);
  };
  for (const Box& box : boxes) {
    for_each(box.offsets, box.sizes, [&](const Dims& at) { ++count[position(at)]; });
  }
  std::optional<CoverDefect> first;
  for_each(Dims::filled(sizes.ndim(), 0), sizes, [&](const Dims& at) {
    if (const int painted = count[position(at)]; painted != 1 && !first) {
      first = CoverDefect{painted == 0 ? Kind::hole : Kind::overlap, at, 0, 0};
    }
  });
  return first;
}

/// Damages a tiling, or leaves it: boxes lost, doubled, moved, grown and shrunk, always inside.
void damage(const Dims& sizes, RandomSource& random, std::vector<Box>& boxes) {
  for (std::int64_t n = random.number(3); n > 0 && !boxes.empty(); --n) {
    const std::size_t i = random.index(boxes.size());
    Box& box = boxes[i];
    const int d = sizes.ndim() == 0 ? -1 : static_cast<int>(random.number(sizes.ndim()));
    switch (random.number(d < 0 ? 2 : 5)) {
      case 0:
        boxes.erase(boxes.begin() + static_cast<std::ptrdiff_t>(i));
        break;
      case 1:
        boxes.push_back(Box(box));
        break;
      case 2:  // a gap and an overlap of equal volume
        box.offsets[d] = random.number(sizes[d] - box.sizes[d] + 1);
        break;
      case 3:
        box.sizes[d] = 1 + random.number(sizes[d] - box.offsets[d]);
        break;
      default: {
        const std::int64_t end = box.offsets[d] + box.sizes[d];
        box.offsets[d] = random.number(end);
        box.sizes[d] = end - box.offsets[d];
      }
    }
  }
  std::shuffle(boxes.begin(), boxes.end(), random.engine());
}

TEST(Cover, AgreesWithAPainterOnRandomBoxes) {
  RandomSource random;
  std::array<int, 3> seen{};  // right, hole, overlap
  for (int round = 0; round < 20'000; ++round) {
    const int ndim = static_cast<int>(random.number(5));
    const Dims sizes = random.sizes(ndim, 1, 6);
    std::vector<Box> boxes = random.tiling(sizes, static_cast<int>(random.number(6)));
    damage(sizes, random, boxes);
    const auto expected = first_defect(sizes, boxes);
    const auto found = find_cover_defect(sizes, boxes);
    ASSERT_EQ(found.has_value(), expected.has_value()) << to_string(sizes);
    ++seen[expected ? (expected->kind == Kind::hole ? 1U : 2U) : 0U];
    if (!expected) {
      continue;
    }
    ASSERT_EQ(found->at, expected->at) << to_string(sizes);
    ASSERT_EQ(found->kind, expected->kind) << to_string(sizes);
    if (found->kind == Kind::overlap) {
      const Box element{found->at, Dims::filled(ndim, 1)};
      ASSERT_NE(found->box, found->other_box);
      ASSERT_TRUE(contains(boxes[found->box], element));
      ASSERT_TRUE(contains(boxes[found->other_box], element));
    }
  }
  for (const int n : seen) {
    EXPECT_GT(n, 1000);
  }
}

/// The same geometry, every dimension stretched: the first wrong element is stretched with it.
TEST(Cover, AgreesWithAPainterAtHugeExtents) {
  RandomSource random;
  for (int round = 0; round < 3'000; ++round) {
    const int ndim = 1 + static_cast<int>(random.number(3));
    const Dims sizes = random.sizes(ndim, 1, 6);
    std::vector<Box> boxes = random.tiling(sizes, static_cast<int>(random.number(5)));
    damage(sizes, random, boxes);
    Dims factor = Dims::filled(ndim, 1);
    factor[static_cast<int>(random.number(ndim))] = (std::int64_t{1} << 40) + 3;
    factor[0] *= 1 + random.number(1000);
    const auto stretch = [&](Dims& dims) {
      for (int d = 0; d < ndim; ++d) {
        dims[d] *= factor[d];
      }
    };
    auto expected = first_defect(sizes, boxes);
    Dims huge = sizes;
    stretch(huge);
    for (Box& box : boxes) {
      stretch(box.offsets);
      stretch(box.sizes);
    }
    const auto found = find_cover_defect(huge, boxes);
    ASSERT_EQ(found.has_value(), expected.has_value()) << to_string(huge);
    if (expected) {
      stretch(expected->at);
      ASSERT_EQ(found->at, expected->at);
      ASSERT_EQ(found->kind, expected->kind);
    }
  }
}

TEST(Cover, FindsBoxesOutOfBounds) {
  const Dims sizes{4, 5};
  const auto kind_of = [&](const Box& wrong) {
    const std::vector<Box> boxes = {whole_box(sizes), wrong};
    const auto defect = find_cover_defect(sizes, boxes);
    EXPECT_TRUE(defect) << to_string(wrong);
    EXPECT_EQ(defect->box, 1U);
    return defect->kind;
  };
  EXPECT_EQ(kind_of({{4, 0}, {1, 1}}), Kind::out_of_bounds);
  EXPECT_EQ(kind_of({{0, 1}, {1, 5}}), Kind::out_of_bounds);
  EXPECT_EQ(kind_of({{-1, 0}, {1, 1}}), Kind::out_of_bounds);
  EXPECT_EQ(kind_of({{1, 0}, {-1, 1}}), Kind::out_of_bounds);
  EXPECT_EQ(kind_of({{INT64_MAX, 0}, {1, 1}}), Kind::out_of_bounds);
  EXPECT_EQ(kind_of({{1, 0}, {INT64_MAX, 1}}), Kind::out_of_bounds);
}

TEST(Cover, TakesZeroDimensionsAndZeroExtents) {
  EXPECT_EQ(find_cover_defect({}, {})->kind, Kind::hole);
  EXPECT_FALSE(find_cover_defect({}, std::vector<Box>(1)));
  EXPECT_EQ(find_cover_defect({}, std::vector<Box>(2))->kind, Kind::overlap);
  EXPECT_FALSE(find_cover_defect({3, 0}, {}));
  // The product of the other extents passes 2^64.
  EXPECT_FALSE(find_cover_defect({INT64_MAX, 0, INT64_MAX}, {}));
  EXPECT_EQ(find_cover_defect({2}, {})->kind, Kind::hole);
}

std::vector<std::int64_t> packed(std::span<const Box> boxes) {
  std::vector<std::int64_t> coordinates;
  for (const Box& box : boxes) {
    coordinates.insert(coordinates.end(), box.offsets.begin(), box.offsets.end());
    coordinates.insert(coordinates.end(), box.sizes.begin(), box.sizes.end());
  }
  return coordinates;
}

TEST(Cover, AGridIsKnownAtOnceAndNothingElseIs) {
  RandomSource random;
  for (int round = 0; round < 500; ++round) {
    // Every dimension is cut anywhere; the cells follow in row-major order.
    const auto ndim = static_cast<int>(random.number(4));
    const Dims sizes = random.sizes(ndim, 1, 9);
    std::vector<Box> boxes = {whole_box(sizes)};
    for (int d = 0; d < ndim; ++d) {
      std::vector<std::int64_t> cuts = {0, sizes[d]};
      for (std::int64_t n = random.number(3); n > 0; --n) {
        cuts.push_back(random.number(sizes[d] + 1));
      }
      std::sort(cuts.begin(), cuts.end());
      cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
      std::vector<Box> cells;
      for (const Box& box : boxes) {
        for (std::size_t i = 0; i + 1 < cuts.size(); ++i) {
          cells.push_back(box);
          cells.back().offsets[d] = cuts[i];
          cells.back().sizes[d] = cuts[i + 1] - cuts[i];
        }
      }
      boxes = std::move(cells);
    }
    EXPECT_TRUE(is_grid_of(sizes, boxes.size(), packed(boxes)));
    damage(sizes, random, boxes);
    if (is_grid_of(sizes, boxes.size(), packed(boxes))) {
      EXPECT_FALSE(first_defect(sizes, boxes));
    }
  }
}

}  // namespace
}  // namespace shardmark
