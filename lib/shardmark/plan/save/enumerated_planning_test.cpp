// SPDX-License-Identifier: Apache-2.0
// Policies through the whole planner: DCP's walk typed from its description, and pieces that every
// owner holds.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "shardmark/core/cover.hpp"
#include "shardmark/plan/owners/split.hpp"
#include "shardmark/plan/save/make_global_plan.hpp"
#include "shardmark/plan/save/save_planner.hpp"
#include "shardmark/testing/box_tensor.hpp"
#include "shardmark/testing/random_source.hpp"

namespace shardmark {
namespace {

using shardmark::testing::BoxState;
using shardmark::testing::RandomSource;

struct Plans {
  SavePlanning planning;
  std::vector<SavePlan> of_rank;
};

Plans plan_ranks(const std::vector<BoxState>& ranks, DedupPolicy policy) {
  LocalPlanExchange exchange(static_cast<int>(ranks.size()));
  Plans plans;
  plans.of_rank.resize(ranks.size());
  auto planning = make_coordinator_save_planner(policy)->plan(
      {.state_dict_of = [&](int rank) -> Result<const StateDict*> {
         return &ranks[static_cast<std::size_t>(rank)].state;
       },
       .exchange = exchange,
       .take =
           [&](int rank, const std::shared_ptr<const SavePlan>& plan) {
             plans.of_rank[static_cast<std::size_t>(rank)] = *plan;
             return Status();
           }});
  EXPECT_TRUE(planning) << planning.error().message;
  plans.planning = std::move(*planning);
  return plans;
}

using Key = std::pair<std::string, Box>;

/// DCP's dedup_save_plans as the protocol notes tell it, with ordinary maps.
std::map<Key, int> owners_by_dcp(const std::vector<BoxState>& ranks) {
  std::vector<Key> in_order;
  std::map<Key, std::vector<int>> holders;
  std::map<Key, std::int64_t> accounted;
  std::vector<WriteItem> items;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    EXPECT_TRUE(collect_write_items(ranks[rank].state, items));
    for (const WriteItem& item : items) {
      const bool object = item.type == WriteItemType::byte_io;
      const Key key(item.index.fqn,
                    object ? whole_box(Dims{item.byte_io_size}) : item.tensor_data.chunk);
      if (holders[key].empty()) {
        in_order.push_back(key);
        const std::int64_t whole = object ? 0
                                          : volume(item.tensor_data.size) *
                                                element_size(item.tensor_data.properties.dtype);
        accounted[key] = std::max<std::int64_t>(whole, 1);
      }
      holders[key].push_back(static_cast<int>(rank));
    }
  }
  std::map<Key, int> owners;
  std::vector<std::int64_t> load(ranks.size(), 0);
  for (const Key& key : in_order) {
    int least = holders[key].front();
    for (const int rank : holders[key]) {
      if (load[static_cast<std::size_t>(rank)] < load[static_cast<std::size_t>(least)]) {
        least = rank;
      }
    }
    load[static_cast<std::size_t>(least)] += accounted[key];
    owners[key] = least;
  }
  return owners;
}

/// A few ranks, each a different mixture of shards, replicas, empty shards and objects, in an order
/// of its own where that may be.
std::vector<BoxState> random_ranks(RandomSource& random, std::size_t world_size) {
  std::vector<BoxState> ranks(world_size);
  for (int tensor = 0; tensor < 12; ++tensor) {
    const std::string fqn =
        "t" + std::to_string(random.number(1000)) + "." + std::to_string(tensor);
    if (random.one_in(6)) {
      const std::size_t num_bytes = random.index(9);
      for (BoxState& rank : ranks) {
        rank.add_object(fqn, num_bytes);
      }
      continue;
    }
    const Dims sizes = random.sizes(static_cast<int>(random.number(3)), 0, 6);
    const bool nothing = whole_box(sizes).empty();
    const std::vector<Box> boxes = random.tiling(sizes, nothing ? 0 : 2);
    std::vector<std::vector<Box>> held(world_size);
    for (const Box& box : boxes) {
      held[random.index(world_size)].push_back(box);
      for (auto& list : held) {
        if (random.one_in(3) && std::find(list.begin(), list.end(), box) == list.end()) {
          list.push_back(box);
        }
      }
    }
    for (std::size_t rank = 0; rank < world_size; ++rank) {
      if (held[rank].empty() && sizes.ndim() > 0 && random.one_in(2)) {
        Box empty = whole_box(sizes);
        empty.offsets[0] = sizes[0];
        empty.sizes[0] = 0;
        held[rank].push_back(empty);
      }
      ranks[rank].add(fqn, {sizes, Dtype::float32, held[rank]});
    }
  }
  return ranks;
}

TEST(DedupPlan, DcpChoosesAsItsWalkDoes) {
  RandomSource random;
  for (int round = 0; round < 100; ++round) {
    const auto ranks = random_ranks(random, 1 + random.index(7));
    const Plans plans = plan_ranks(ranks, DedupPolicy::dcp);
    std::map<Key, int> expected = owners_by_dcp(ranks);
    std::erase_if(expected, [](const auto& each) { return each.first.second.empty(); });
    std::map<Key, int> found;
    for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
      for (const PlannedWrite& write : plans.of_rank[rank].writes) {
        found[{plans.planning.entries->entries[write.entry].fqn, write.box}] =
            static_cast<int>(rank);
      }
    }
    ASSERT_EQ(found, expected);
    // Empty shards are counted, never planned.
    ASSERT_EQ(plans.planning.global->chunks.size(), expected.size());
    std::uint64_t items = 0;
    std::vector<WriteItem> listed;
    for (const BoxState& rank : ranks) {
      ASSERT_TRUE(collect_write_items(rank.state, listed));
      items += static_cast<std::uint64_t>(
          std::ranges::count_if(listed, [](const WriteItem& item) { return num_bytes(item) > 0; }));
    }
    ASSERT_EQ(plans.planning.global->statistics.items, items);
  }
}

TEST(DedupPlan, SplitGivesEachHolderAPieceOfItsOwnBox) {
  constexpr int world_size = 6;
  // Two column halves, each on three ranks; a small one on all.
  const Dims sizes{3000, 2048};
  std::vector<BoxState> ranks(world_size);
  for (int rank = 0; rank < world_size; ++rank) {
    auto& state = ranks[static_cast<std::size_t>(rank)];
    state.add("big", {sizes, Dtype::float32, {{{0, 1024 * (rank % 2)}, {3000, 1024}}}});
    state.add("small", {{1000}, Dtype::float32, {whole_box({1000})}});
  }
  const Plans plans = plan_ranks(ranks, DedupPolicy::split);
  std::map<std::string, std::vector<Box>> stored;
  std::set<std::uint64_t> chunks;
  std::vector<std::int64_t> bytes(world_size, 0);
  for (int rank = 0; rank < world_size; ++rank) {
    for (const PlannedWrite& write : plans.of_rank[static_cast<std::size_t>(rank)].writes) {
      const Entry& entry = plans.planning.entries->entries[write.entry];
      ASSERT_TRUE(chunks.insert(write.chunk).second);
      ASSERT_EQ(write.box, plans.planning.global->chunks.box(write.chunk, entry.sizes.ndim()));
      stored[entry.fqn].push_back(write.box);
      bytes[static_cast<std::size_t>(rank)] += write.box.num_elements() * 4;
      if (entry.fqn == "big") {
        const Box own{{0, 1024 * (rank % 2)}, {3000, 1024}};
        ASSERT_EQ(write.source, own.offsets);
        ASSERT_TRUE(contains(own, write.box));
        ASSERT_EQ(write.box.sizes, (Dims{1000, 1024}));
      }
    }
  }
  EXPECT_EQ(stored["big"].size(), 6U);
  EXPECT_EQ(stored["small"].size(), 1U);
  for (const auto& [fqn, boxes] : stored) {
    EXPECT_FALSE(find_cover_defect(fqn == "big" ? sizes : Dims{1000}, boxes)) << fqn;
  }
  EXPECT_EQ(bytes, plans.planning.global->statistics.rank_bytes);
  EXPECT_EQ(plans.planning.global->statistics.items, 12U);
  EXPECT_EQ(plans.planning.global->statistics.deduplicated_bytes,
            2 * 3000 * 2048 * 4 + 5 * 1000 * 4);
}

TEST(DedupPlan, SplitOfOneBigReplicaIsEven) {
  constexpr int world_size = 64;
  std::vector<BoxState> ranks(world_size);
  for (BoxState& rank : ranks) {
    rank.add("w", {{10'000, 10'000}, Dtype::float64, {whole_box({10'000, 10'000})}});
  }
  const auto planning = plan_ranks(ranks, DedupPolicy::split).planning;
  const auto& bytes = planning.global->statistics.rank_bytes;
  const double mean = 8e8 / world_size;
  EXPECT_LT(static_cast<double>(*std::ranges::max_element(bytes)) / mean, 1.001);
  EXPECT_EQ(plan_ranks(ranks, DedupPolicy::lowest_rank).planning.global->statistics.rank_bytes[0],
            std::int64_t{800'000'000});
}

}  // namespace
}  // namespace shardmark
