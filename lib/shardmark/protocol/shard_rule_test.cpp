// SPDX-License-Identifier: Apache-2.0
#include "shardmark/protocol/shard_rule.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <random>

namespace shardmark {
namespace {

using nlohmann::json;
using Indices = std::vector<std::int64_t>;

Dims dims_of(const json& values) {
  return Dims::from(values.get<std::vector<std::int64_t>>()).value();
}

Placement placement_of(const json& value) {
  if (value.contains("shard")) {
    return Placement::shard(value["shard"].get<std::int32_t>());
  }
  if (value.contains("strided_shard")) {
    return Placement::strided_shard(value["strided_shard"].get<std::int32_t>(),
                                    value["split_factor"].get<std::int64_t>());
  }
  return value.contains("partial") ? Placement::partial() : Placement::replicate();
}

std::vector<Placement> placements_of(const json& values) {
  std::vector<Placement> placements;
  for (const json& value : values) {
    placements.push_back(placement_of(value));
  }
  return placements;
}

Dims row_major_coordinate(const Dims& shape, std::int64_t rank) {
  Dims at = shape;
  for (int d = shape.ndim() - 1; d >= 0; --d) {
    at[d] = rank % shape[d];
    rank /= shape[d];
  }
  return at;
}

const json& golden() {
  static const json vectors = [] {
    std::ifstream file(SHARDMARK_SOURCE_DIR "/lib/shardmark/testing/golden/dcp_vectors.json");
    return json::parse(file);
  }();
  return vectors;
}

TEST(ShardRule, GoldenCases) {
  ASSERT_EQ(golden()["cases"].size(), 320U);
  std::size_t multi_run_ranks = 0;
  for (const json& c : golden()["cases"]) {
    SCOPED_TRACE(c["name"].get<std::string>());
    const Dims mesh = dims_of(c["mesh_shape"]);
    ASSERT_EQ(static_cast<std::size_t>(volume(mesh)), c["expected"].size());
    std::int64_t rank = 0;
    for (const json& expected : c["expected"]) {
      SCOPED_TRACE(rank);
      const auto shard =
          compute_local_shard(dims_of(c["global_shape"]), mesh, row_major_coordinate(mesh, rank++),
                              placements_of(c["placements"]));
      ASSERT_TRUE(shard) << shard.error().message;
      EXPECT_EQ(shard->local_sizes, dims_of(expected["local_shape"]));
      EXPECT_EQ(shard->global_offset, dims_of(expected["global_offset"]));
      std::vector<LocalBox> boxes;
      if (!expected.contains("chunks")) {
        const Dims sizes = dims_of(expected["local_shape"]);
        boxes.push_back(
            {{dims_of(expected["global_offset"]), sizes}, Dims::filled(sizes.ndim(), 0)});
      } else {
        ++multi_run_ranks;
        for (const json& chunk : expected["chunks"]) {
          boxes.push_back(
              {{dims_of(chunk["offset"]), dims_of(chunk["size"])}, dims_of(chunk["local_offset"])});
        }
      }
      EXPECT_EQ(shard->boxes, boxes);
    }
  }
  EXPECT_GT(multi_run_ranks, 20U);
}

TEST(ShardRule, GoldenErrors) {
  ASSERT_EQ(golden()["error_cases"].size(), 2U);
  for (const json& c : golden()["error_cases"]) {
    const Dims mesh = dims_of(c["mesh_shape"]);
    const auto placements = placements_of(c["placements"]);
    const auto shard = compute_local_shard(dims_of(c["global_shape"]), mesh,
                                           Dims::filled(mesh.ndim(), 0), placements);
    ASSERT_FALSE(shard) << c.dump();
    EXPECT_EQ(shard.error().code, ErrorCode::invalid_argument);
    EXPECT_NE(shard.error().message.find(c["placements"][0].contains("partial")
                                             ? "partial placement cannot be checkpointed"
                                             : "shard dimension outside the tensor"),
              std::string::npos)
        << shard.error().message;
  }
}

/// torch.chunk on an index list, as torch.distributed does it: one list of entries at a time.
std::vector<Indices> chunks(const Indices& held, std::int64_t parts) {
  std::vector<Indices> out(static_cast<std::size_t>(parts));
  const std::int64_t n = static_cast<std::int64_t>(held.size());
  const std::int64_t full = (n + parts - 1) / parts;
  for (std::int64_t i = 0; i < n; ++i) {
    out[static_cast<std::size_t>(i / full)].push_back(held[static_cast<std::size_t>(i)]);
  }
  return out;
}

/// The oracle: every dimension's held indices, kept one by one.
std::vector<Indices> held_indices(const Dims& sizes, const Dims& mesh, const Dims& at,
                                  const std::vector<Placement>& placements) {
  std::vector<Indices> held(sizes.size());
  for (std::size_t d = 0; d < sizes.size(); ++d) {
    held[d].resize(static_cast<std::size_t>(sizes[static_cast<int>(d)]));
    std::iota(held[d].begin(), held[d].end(), 0);
  }
  for (int m = 0; m < mesh.ndim(); ++m) {
    const Placement& p = placements[static_cast<std::size_t>(m)];
    if (p.kind == PlacementKind::replicate) {
      continue;
    }
    Indices& list = held[static_cast<std::size_t>(p.dim < 0 ? p.dim + sizes.ndim() : p.dim)];
    const auto mine = static_cast<std::size_t>(at[m]);
    Indices picked;
    const std::int64_t pieces = p.kind == PlacementKind::strided_shard ? p.split_factor : 1;
    for (const Indices& piece : chunks(list, pieces)) {
      const Indices cut = chunks(piece, mesh[m])[mine];
      picked.insert(picked.end(), cut.begin(), cut.end());
    }
    list = picked;
  }
  return held;
}

/// Paints every element that the boxes name with its place in the local tensor, and compares with
/// the oracle's list element by element.
void expect_painted(const LocalShard& shard, const Dims& sizes, const std::vector<Indices>& held) {
  constexpr std::int64_t nothing = -1;
  Indices expected(static_cast<std::size_t>(volume(sizes)), nothing);
  Indices painted = expected;
  Dims local = sizes;
  for (int d = 0; d < sizes.ndim(); ++d) {
    local[d] = static_cast<std::int64_t>(held[static_cast<std::size_t>(d)].size());
  }
  ASSERT_EQ(shard.local_sizes, local);
  const Dims strides = row_major_strides(sizes);
  for (std::int64_t i = 0; i < volume(local); ++i) {
    const Dims at = row_major_coordinate(local, i);
    std::int64_t global = 0;
    for (int d = 0; d < sizes.ndim(); ++d) {
      global += held[static_cast<std::size_t>(d)][static_cast<std::size_t>(at[d])] * strides[d];
    }
    expected[static_cast<std::size_t>(global)] = i;
  }
  const Dims local_strides = row_major_strides(local);
  for (std::size_t b = 0; b < shard.boxes.size(); ++b) {
    const LocalBox& part = shard.boxes[b];
    EXPECT_TRUE(contains(whole_box(sizes), part.box));
    if (b > 0) {
      EXPECT_LT(shard.boxes[b - 1].box.offsets, part.box.offsets) << "row-major order";
    }
    for (std::int64_t i = 0; i < part.box.num_elements(); ++i) {
      const Dims at = row_major_coordinate(part.box.sizes, i);
      std::int64_t global = 0;
      std::int64_t place = 0;
      for (int d = 0; d < sizes.ndim(); ++d) {
        global += (part.box.offsets[d] + at[d]) * strides[d];
        place += (part.local_offsets[d] + at[d]) * local_strides[d];
      }
      EXPECT_EQ(painted[static_cast<std::size_t>(global)], nothing) << "painted twice";
      painted[static_cast<std::size_t>(global)] = place;
    }
  }
  EXPECT_EQ(painted, expected);
}

TEST(ShardRule, RandomLayoutsAgainstAPainter) {
  const auto seed = std::random_device()();
  RecordProperty("seed", std::to_string(seed));
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto pick = [&](int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random);
  };
  for (int round = 0; round < 400; ++round) {
    Dims sizes = Dims::filled(pick(1, 3), 0);
    std::generate(sizes.begin(), sizes.end(), [&] { return pick(0, 13); });
    Dims mesh = Dims::filled(pick(1, 3), 0);
    std::generate(mesh.begin(), mesh.end(), [&] { return pick(1, 4); });
    std::vector<Placement> placements;
    std::string text = to_string(sizes) + " on " + to_string(mesh) + ":";
    for (int m = 0; m < mesh.ndim(); ++m) {
      const int dim = pick(-sizes.ndim(), sizes.ndim() - 1);
      const int kind = pick(0, 3);
      placements.push_back(kind == 0   ? Placement::replicate()
                           : kind == 1 ? Placement::strided_shard(dim, pick(1, 5))
                                       : Placement::shard(dim));
      text += " " + to_string(placements.back());
    }
    SCOPED_TRACE(text);
    LocalShard reused;
    for (std::int64_t rank = 0; rank < volume(mesh); ++rank) {
      const Dims at = row_major_coordinate(mesh, rank);
      const auto shard = compute_local_shard(sizes, mesh, at, placements);
      ASSERT_TRUE(shard) << shard.error().message;
      expect_painted(*shard, sizes, held_indices(sizes, mesh, at, placements));
      recompute_local_shard(sizes, mesh, at, placements, reused);
      EXPECT_EQ(reused.boxes, shard->boxes);
      EXPECT_EQ(reused.local_sizes, shard->local_sizes);
      EXPECT_EQ(reused.global_offset, shard->global_offset);
    }
    if (HasFailure()) {
      return;
    }
  }
}

TEST(ShardRule, HugeExtentsCostNothing) {
  const std::int64_t n = (std::int64_t{1} << 62) + 1;
  const std::vector<Placement> placements = {Placement::shard(0), Placement::strided_shard(-1, 2)};
  const auto shard = compute_local_shard({n}, {1 << 20, 3}, {(1 << 20) - 1, 2}, placements);
  ASSERT_TRUE(shard);
  EXPECT_LE(shard->boxes.back().box.offsets[0] + shard->boxes.back().box.sizes[0], n);
}

TEST(ShardRule, Refusals) {
  const std::vector<Placement> one = {Placement::shard(0)};
  const std::vector<Placement> outside = {Placement::shard(-3)};
  const std::vector<Placement> factor = {{PlacementKind::strided_shard, 0, 0}};
  const std::int64_t big = std::int64_t{1} << 40;
  EXPECT_FALSE(compute_local_shard({4}, {2, 2}, {0, 0}, one)) << "one placement, two mesh dims";
  EXPECT_FALSE(compute_local_shard({4, 4}, {2}, {0}, outside));
  EXPECT_FALSE(compute_local_shard({4}, {2}, {0}, factor));
  EXPECT_FALSE(compute_local_shard({big, big}, {2}, {0}, one)) << "2^80 elements";
  EXPECT_FALSE(compute_local_shard({-1}, {2}, {0}, one));
  EXPECT_FALSE(compute_local_shard({4, 4}, {2}, {2}, one)) << "coordinate outside the mesh";
}

}  // namespace
}  // namespace shardmark
