// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "shardmark/plan/load/load_plan.hpp"
#include "shardmark/plan/tables/overlap_search.hpp"
#include "shardmark/tensor/dtensor.hpp"
#include "shardmark/testing/edge_cases/saved_boxes.hpp"
#include "shardmark/testing/random_source.hpp"

namespace shardmark {
namespace {

using nlohmann::json;
using shardmark::testing::BoxState;
using shardmark::testing::plan_load;
using shardmark::testing::RandomSource;
using shardmark::testing::Saved;

Dims dims_of(const json& list) {
  return *Dims::from(list.get<std::vector<std::int64_t>>());
}
json json_of(const Dims& dims) {
  return std::vector<std::int64_t>(dims.begin(), dims.end());
}
Box box_of(const json& chunk) {
  return {dims_of(chunk.at("offset")), dims_of(chunk.at("size"))};
}

std::vector<Box> boxes_of_layout(const json& side, const Dims& sizes, std::int64_t rank) {
  std::vector<Placement> placements;
  for (const json& placement : side.at("placements")) {
    if (placement.contains("shard")) {
      placements.push_back(Placement::shard(placement.at("shard")));
    } else if (placement.contains("replicate")) {
      placements.push_back(Placement::replicate());
    } else {
      placements.push_back(
          Placement::strided_shard(placement.at("strided_shard"), placement.at("split_factor")));
    }
  }
  const TensorLayout layout = *make_tensor_layout(
      sizes, Dtype::float32, *DeviceMesh::row_major(dims_of(side.at("mesh_shape"))), placements);
  const Dims local = *DTensor::local_sizes(layout, rank);
  return *DTensor::from_local(contiguous_view<std::byte>(nullptr, Dtype::float32, local), layout,
                              rank)
              ->create_chunk_list();
}

std::set<std::string> read_items(std::span<const Box> saved, std::span<const Box> wanted) {
  std::set<std::string> items;
  for (const ReadItem& item : create_read_items("w", saved, wanted)) {
    EXPECT_EQ(item.storage_index.offset,
              saved[static_cast<std::size_t>(*item.storage_index.index)].offsets);
    EXPECT_EQ(item.dest_index.offset,
              wanted[static_cast<std::size_t>(*item.dest_index.index)].offsets);
    items.insert(json{{"saved_chunk", *item.storage_index.index},
                      {"storage_offsets", json_of(item.storage_offsets)},
                      {"dest_offsets", json_of(item.dest_offsets)},
                      {"lengths", json_of(item.lengths)}}
                     .dump());
  }
  return items;
}

std::set<std::string> expected_items(const json& list) {
  std::set<std::string> items;
  for (const json& item : list) {
    items.insert(item.dump());
  }
  return items;
}

TEST(LoadPlan, ReadItemsAgreeWithTheGoldenCases) {
  std::ifstream file(SHARDMARK_SOURCE_DIR "/lib/shardmark/testing/golden/dcp_vectors.json");
  const json cases = json::parse(file).at("reshard_cases");
  ASSERT_FALSE(cases.empty());
  for (const json& golden : cases) {
    SCOPED_TRACE(golden.at("name").get<std::string>());
    const Dims sizes = dims_of(golden.at("global_shape"));
    std::vector<Box> saved;
    const bool plain = golden.contains("boxes");
    for (const json& chunk :
         plain ? golden.at("boxes").at("saved") : golden.at("save").at("chunks")) {
      saved.push_back(box_of(chunk));
    }
    for (std::size_t rank = 0; rank < golden.at("expected").size(); ++rank) {
      const json& expected = golden.at("expected")[rank];
      if (plain) {
        const std::vector<Box> wanted = {box_of(golden.at("boxes").at("wanted")[rank])};
        EXPECT_EQ(read_items(saved, wanted), expected_items(expected));
        continue;
      }
      const auto wanted =
          boxes_of_layout(golden.at("load"), sizes, static_cast<std::int64_t>(rank));
      EXPECT_EQ(read_items(saved, wanted), expected_items(expected.at("read_items")))
          << "rank " << rank;
    }
  }
}

template <typename Take>
void for_each_element(const Box& box, const Take& take) {
  Dims at = box.offsets;
  for (std::int64_t i = 0; i < box.num_elements(); ++i) {
    std::int64_t rest = i;
    for (int d = box.ndim() - 1; d >= 0; --d) {
      at[d] = box.offsets[d] + rest % box.sizes[d];
      rest /= box.sizes[d];
    }
    take(at);
  }
}

/// Every element of every wanted box is read once, from the chunk that has it.
TEST(LoadPlan, AgreesWithACopyElementByElement) {
  RandomSource random;
  for (int round = 0; round < 300; ++round) {
    Saved saved;
    BoxState wanted;
    std::map<std::string, std::vector<Box>> wanted_boxes;
    for (const char* fqn : {"a", "b", "c"}) {
      const Dims sizes = random.sizes(static_cast<int>(random.number(4)), 1, 7);
      saved.add(fqn, Dtype::int16, sizes, random.tiling(sizes, 4));
      std::vector<Box> boxes = random.tiling(sizes, 3);
      std::shuffle(boxes.begin(), boxes.end(), random.engine());
      boxes.resize(1 + random.index(boxes.size()));  // one rank's part
      wanted_boxes[fqn] = boxes;
      wanted.add(fqn, {sizes, Dtype::int16, boxes});
    }
    const auto plan = plan_load(saved, wanted);
    ASSERT_TRUE(plan) << plan.error().message;
    std::map<std::string, std::map<Dims, int>> times_read;
    std::int64_t elements = 0;
    for (const PlannedRead& read : plan->reads) {
      const Entry& entry = saved.entries.entries.at(read.entry);
      ASSERT_GE(read.chunk, entry.first_chunk);
      ASSERT_LT(read.chunk, entry.first_chunk + entry.num_chunks);
      const Box chunk = saved.chunks.box(read.chunk, entry.sizes.ndim());
      ASSERT_TRUE(contains(chunk, read.box));
      ASSERT_EQ(read.whole_chunk, chunk == read.box);
      ASSERT_THAT(wanted_boxes[entry.fqn],
                  ::testing::Contains(::testing::Field(&Box::offsets, read.source)));
      for_each_element(read.box, [&](const Dims& at) { ++times_read[entry.fqn][at]; });
      elements += read.box.num_elements();
    }
    EXPECT_EQ(plan->num_bytes, 2 * elements);
    for (const auto& [fqn, boxes] : wanted_boxes) {
      auto& times_of = times_read[fqn];
      for (const Box& box : boxes) {
        for_each_element(box, [&](const Dims& at) { ASSERT_EQ(times_of[at]--, 1); });
      }
      for (const auto& [at, times] : times_of) {
        ASSERT_EQ(times, 0) << "read though nobody wants it";
      }
    }
    EXPECT_TRUE(std::is_sorted(plan->reads.begin(), plan->reads.end(),
                               [](const auto& a, const auto& b) { return a.entry < b.entry; }));
  }
}

}  // namespace
}  // namespace shardmark
