// SPDX-License-Identifier: Apache-2.0
#include "shardmark/plan/save/played_save_planner.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <numeric>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "shardmark/core/by_rank.hpp"
#include "shardmark/testing/virtual_state.hpp"

namespace shardmark {
namespace {

using shardmark::testing::RandomSource;
using shardmark::testing::VirtualState;
using ::testing::Contains;
using ::testing::HasSubstr;

/// One write by its name, in words: tables of different worlds count differently.
std::string text_of(const PlannedWrite& write, const EntryTable& entries) {
  const Entry& entry = of_rank(entries.entries, write.entry);
  return fmt::format("{} {} {} {} of {}", entry.fqn, dtype_name(entry.dtype),
                     to_string(entry.sizes), to_string(write.box), to_string(write.source));
}

using Writes = std::vector<std::string>;

Writes texts_of(const SavePlan& plan, const EntryTable& entries) {
  Writes texts;
  for (const PlannedWrite& write : plan.writes) {
    texts.push_back(text_of(write, entries));
  }
  return texts;
}

struct PlannedByName {
  SavePlanning planning;
  std::vector<Writes> by_rank;  // of the exchange's world
};

/// `ranks_of[i]` is the rank of `state` that process i of the exchange is.
Result<PlannedByName> plan(SavePlanner& planner, VirtualState& state,
                           const std::vector<int>& ranks_of) {
  LocalPlanExchange exchange(static_cast<int>(ranks_of.size()));
  std::vector<std::shared_ptr<const SavePlan>> plans(ranks_of.size());
  PlannedByName planned;
  SHARDMARK_ASSIGN_OR_RETURN(
      planned.planning,
      planner.plan({.state_dict_of = [&](int process) -> Result<const StateDict*> {
                      state.move_to(of_rank(ranks_of, process));
                      return &state.state;
                    },
                    .exchange = exchange,
                    .take =
                        [&](int process, std::shared_ptr<const SavePlan> own) {
                          of_rank(plans, process) = std::move(own);
                          return Status();
                        }}));
  for (const auto& own : plans) {
    planned.by_rank.push_back(texts_of(*own, *planned.planning.entries));
  }
  return planned;
}

std::vector<int> everybody(int world_size) {
  std::vector<int> ranks(static_cast<std::size_t>(world_size));
  std::iota(ranks.begin(), ranks.end(), 0);
  return ranks;
}

/// Some of them, one at least, ascending.
std::vector<int> drawn(RandomSource& random, int world_size) {
  std::vector<int> ranks;
  while (ranks.empty()) {
    for (int rank = 0; rank < world_size; ++rank) {
      if (random.one_in(3)) {
        ranks.push_back(rank);
      }
    }
  }
  return ranks;
}

/// The chunks of the small plan are its ranks' writes, in order and numbered as in its tables, each
/// in its tensor's bounds.
void expect_consistent(const PlannedByName& small) {
  const GlobalSavePlan& global = *small.planning.global;
  Writes all;
  for (const Writes& writes : small.by_rank) {
    all.insert(all.end(), writes.begin(), writes.end());
  }
  EXPECT_EQ(global.chunks.size(), all.size());
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), all.size()) << "nothing twice";
  EXPECT_EQ(global.owners.size(), all.size());
  std::int64_t num_bytes = 0;
  for (const Entry& entry : global.entries.entries) {
    EXPECT_GT(entry.num_chunks, 0U) << entry.fqn;
    for (std::uint64_t c = 0; c < entry.num_chunks; ++c) {
      const Box box = global.chunks.box(entry.first_chunk + c, entry.sizes.ndim());
      EXPECT_TRUE(contains(whole_box(entry.sizes), box)) << entry.fqn;
      num_bytes += box.num_elements() * element_size(entry.dtype);
    }
  }
  EXPECT_EQ(global.statistics.num_bytes, num_bytes);
}

/// Brute force: the whole world is planned, and each played rank must get what it got there.
TEST(PlayedSave, SharesAreThoseOfTheWholeWorld) {
  RandomSource random;
  for (int round = 0; round < 60; ++round) {
    const int world_size = 1 + static_cast<int>(random.number(24));
    VirtualState state(random, world_size, 8, round % 2 == 1);
    const PlayedWorld world{world_size, drawn(random, world_size)};
    for (const PlannerTraits& kind : planner_table()) {
      for (const DedupPolicy policy : {DedupPolicy::balanced, DedupPolicy::lowest_rank,
                                       DedupPolicy::dcp, DedupPolicy::split}) {
        SCOPED_TRACE(fmt::format("round {}, {} of {}, {}, {}", round, ranks_text(world.ranks),
                                 world_size, kind.name, dedup_policy_name(policy)));
        const auto big = plan(*make_save_planner(kind.kind, policy), state, everybody(world_size));
        ASSERT_TRUE(big) << big.error().message;
        const auto planner = make_played_save_planner(
            kind.kind, policy,
            {.world = world, .whole_world = [&](int rank) -> Result<const StateDict*> {
               state.move_to(rank);
               return &state.state;
             }});
        const auto small = plan(*planner, state, world.ranks);
        ASSERT_TRUE(small) << small.error().message;
        for (std::size_t i = 0; i < world.ranks.size(); ++i) {
          EXPECT_EQ(small->by_rank[i], of_rank(big->by_rank, world.ranks[i]));
        }
        expect_consistent(*small);
      }
    }
  }
}

/// Brute force over the hooks: every box that a played rank holds is there, once, of a holder.
TEST(PlayedSave, WhatIsHeldIsThereOnce) {
  RandomSource random;
  for (int round = 0; round < 60; ++round) {
    const int world_size = 1 + static_cast<int>(random.number(24));
    VirtualState state(random, world_size, 8, false);
    const PlayedWorld world{world_size, drawn(random, world_size)};
    SCOPED_TRACE(fmt::format("round {}, {} of {}", round, ranks_text(world.ranks), world_size));
    const auto planner = make_played_save_planner(PlannerKind::layout, DedupPolicy::balanced,
                                                  {.world = world, .parts = PlayedParts::held});
    const auto small = plan(*planner, state, world.ranks);
    ASSERT_TRUE(small) << small.error().message;
    std::map<VirtualState::Key, std::vector<int>> held;  // by those who are played
    for (const auto& [key, ranks] : state.holders()) {
      for (const int rank : ranks) {
        if (std::ranges::find(world.ranks, rank) != world.ranks.end()) {
          held[key].push_back(rank);
        }
      }
    }
    const GlobalSavePlan& global = *small->planning.global;
    EXPECT_EQ(global.chunks.size(), held.size());
    for (const Entry& entry : global.entries.entries) {
      for (std::uint64_t c = entry.first_chunk; c < entry.first_chunk + entry.num_chunks; ++c) {
        const auto found = held.find({entry.fqn, global.chunks.box(c, entry.sizes.ndim())});
        ASSERT_NE(found, held.end()) << entry.fqn;
        EXPECT_THAT(found->second, Contains(of_rank(world.ranks, of_rank(global.owners, c))));
      }
    }
    expect_consistent(*small);
  }
}

TEST(PlayedSave, ARuleThatLooksAtAllRanksNeedsThem) {
  RandomSource random;
  VirtualState state(random, 12, 8, false);
  const PlayedWorld world{12, {0, 1}};
  for (const auto& [kind, policy] : {std::pair(PlannerKind::coordinator, DedupPolicy::balanced),
                                     std::pair(PlannerKind::tree, DedupPolicy::balanced),
                                     std::pair(PlannerKind::layout, DedupPolicy::dcp)}) {
    const auto small =
        plan(*make_played_save_planner(kind, policy, {.world = world}), state, world.ranks);
    ASSERT_FALSE(small);
    EXPECT_EQ(small.error().code, ErrorCode::unsupported);
    EXPECT_THAT(small.error().message, HasSubstr("all 12 ranks, and 2 of them are played"));
  }
}

}  // namespace
}  // namespace shardmark
