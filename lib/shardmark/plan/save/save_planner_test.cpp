// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "shardmark/plan/save/save_planner.hpp"
#include "shardmark/testing/virtual_state.hpp"

namespace shardmark {
namespace {

using shardmark::testing::RandomSource;
using shardmark::testing::VirtualState;
using ::testing::AllOf;
using ::testing::HasSubstr;

/// Every row of the table: a new planner is tested as soon as it has one.
std::vector<PlannerKind> all_kinds() {
  std::vector<PlannerKind> kinds;
  for (const PlannerTraits& planner : planner_table()) {
    kinds.push_back(planner.kind);
  }
  return kinds;
}

struct Planned {
  SavePlanning planning;
  std::vector<SavePlan> by_rank;
};

Result<Planned> plan_all(SavePlanner& planner, VirtualState& state) {
  LocalPlanExchange exchange(state.world_size());
  Planned planned;
  planned.by_rank.resize(static_cast<std::size_t>(state.world_size()));
  SHARDMARK_ASSIGN_OR_RETURN(
      planned.planning,
      planner.plan({.state_dict_of = [&](int rank) -> Result<const StateDict*> {
                      state.move_to(rank);
                      return &state.state;
                    },
                    .exchange = exchange,
                    .take =
                        [&](int rank, const std::shared_ptr<const SavePlan>& plan) {
                          planned.by_rank[static_cast<std::size_t>(rank)] = *plan;
                          return Status();
                        }}));
  return planned;
}

/// Every held chunk is written once, by one of its holders, at the place that the tables give it.
void expect_complete(const Planned& planned, const VirtualState& state) {
  const auto& entries = planned.planning.entries->entries;
  const GlobalSavePlan& global = *planned.planning.global;
  ASSERT_EQ(planned.planning.entries->num_chunks(), state.holders().size());
  ASSERT_EQ(global.chunks.size(), state.holders().size());
  std::vector<int> writer(state.holders().size(), -1);
  for (int rank = 0; rank < state.world_size(); ++rank) {
    std::uint64_t next = 0;
    for (const PlannedWrite& write : planned.by_rank[static_cast<std::size_t>(rank)].writes) {
      const Entry& entry = entries[write.entry];
      ASSERT_GE(write.chunk, next);
      next = write.chunk + 1;
      ASSERT_GE(write.chunk, entry.first_chunk);
      ASSERT_LT(write.chunk, entry.first_chunk + entry.num_chunks);
      EXPECT_EQ(write.source, write.box.offsets);
      EXPECT_EQ(global.chunks.box(write.chunk, entry.sizes.ndim()), write.box);
      const auto held = state.holders().find({entry.fqn, write.box});
      ASSERT_NE(held, state.holders().end()) << entry.fqn;
      EXPECT_THAT(held->second, ::testing::Contains(rank));
      EXPECT_EQ(writer[write.chunk], -1) << "written twice";
      writer[write.chunk] = rank;
    }
  }
  EXPECT_THAT(writer, ::testing::Each(::testing::Ge(0)));
}

/// What rank 0 can say of all ranks afterwards is what they did.
void expect_owners_and_statistics(Planned& planned, const VirtualState& state) {
  GlobalSavePlan& global = *planned.planning.global;
  global.ensure_owners();
  global.ensure_statistics();
  std::vector<std::int64_t> bytes(planned.by_rank.size());
  std::vector<std::int64_t> held(planned.by_rank.size());
  std::vector<std::uint32_t> items(planned.by_rank.size());
  std::int64_t stored = 0;
  for (std::size_t rank = 0; rank < planned.by_rank.size(); ++rank) {
    for (const PlannedWrite& write : planned.by_rank[rank].writes) {
      EXPECT_EQ(global.owners[write.chunk], static_cast<int>(rank));
      bytes[rank] += write.box.num_elements() *
                     element_size(planned.planning.entries->entries[write.entry].dtype);
    }
    stored += bytes[rank];
    EXPECT_EQ(global.first_of_rank[rank + 1] - global.first_of_rank[rank],
              planned.by_rank[rank].writes.size());
  }
  for (const auto& [key, ranks] : state.holders()) {
    const Entry& entry =
        planned.planning.entries->entries[*planned.planning.entries->find(key.first)];
    for (const int rank : ranks) {
      ++items[static_cast<std::size_t>(rank)];
      held[static_cast<std::size_t>(rank)] += key.second.num_elements() * element_size(entry.dtype);
    }
  }
  EXPECT_EQ(global.statistics.rank_bytes, bytes);
  EXPECT_EQ(global.statistics.rank_items, items);
  EXPECT_EQ(global.statistics.rank_held_bytes, held);
  EXPECT_EQ(global.statistics.num_bytes, stored);
  EXPECT_EQ(global.statistics.items, std::accumulate(items.begin(), items.end(), 0U));
  EXPECT_EQ(global.statistics.deduplicated_bytes,
            std::accumulate(held.begin(), held.end(), std::int64_t{0}) - stored);
}

void expect_same_tables(const Planned& a, const Planned& b) {
  ASSERT_EQ(a.planning.entries->entries.size(), b.planning.entries->entries.size());
  for (std::size_t e = 0; e < a.planning.entries->entries.size(); ++e) {
    const Entry& x = a.planning.entries->entries[e];
    const Entry& y = b.planning.entries->entries[e];
    EXPECT_EQ(x.fqn, y.fqn);
    EXPECT_EQ(x.kind, y.kind);
    EXPECT_EQ(x.dtype, y.dtype);
    EXPECT_EQ(x.sizes, y.sizes);
    EXPECT_EQ(x.first_chunk, y.first_chunk);
    ASSERT_EQ(x.num_chunks, y.num_chunks);
    for (std::uint64_t i = x.first_chunk; i < x.first_chunk + x.num_chunks; ++i) {
      EXPECT_EQ(a.planning.global->chunks.box(i, x.sizes.ndim()),
                b.planning.global->chunks.box(i, x.sizes.ndim()));
    }
  }
}

void compare_planners(RandomSource& random, int world_size, int num_tensors) {
  VirtualState state(random, world_size, num_tensors, random.one_in(2));
  for (const DedupPolicy policy : {DedupPolicy::balanced, DedupPolicy::lowest_rank}) {
    std::optional<Planned> first;
    for (const PlannerKind kind : all_kinds()) {
      SCOPED_TRACE(fmt::format("{} {} world {}", planner_kind_name(kind), dedup_policy_name(policy),
                               world_size));
      const auto planner = make_save_planner(kind, policy);
      auto planned = plan_all(*planner, state);
      ASSERT_TRUE(planned) << planned.error().message;
      expect_complete(*planned, state);
      expect_owners_and_statistics(*planned, state);
      if (first) {
        expect_same_tables(*first, *planned);
      } else {
        first = std::move(*planned);
      }
    }
  }
}

TEST(SavePlanner, AllKindsStoreWhatBruteForceFinds) {
  RandomSource random;
  for (int round = 0; round < 60 && !::testing::Test::HasFailure(); ++round) {
    compare_planners(random, static_cast<int>(1 + random.number(12)), 6);
  }
}

TEST(SavePlanner, AllKindsAgreeInBigWorlds) {
  RandomSource random;
  // The 500 of the long run: SHARDMARK_PLANNER_ROUNDS=500.
  const char* rounds = std::getenv("SHARDMARK_PLANNER_ROUNDS");
  const int count = rounds == nullptr ? 3 : std::atoi(rounds);
  for (int round = 0; round < count && !::testing::Test::HasFailure(); ++round) {
    compare_planners(random, static_cast<int>(13 + random.number(500)), 5);
  }
}

/// Two DTensors; one rank sees something else.
class DisagreeingState {
 public:
  void add(const std::string& fqn, const Dims& sizes, Dtype dtype, const Dims& mesh,
           const Placement& placement) {
    const DeviceMesh device_mesh = *DeviceMesh::row_major(mesh);
    std::vector<Placement> placements(mesh.size(), placement);
    const TensorLayout layout = *make_tensor_layout(sizes, dtype, device_mesh, placements);
    tensors_.push_back(*DTensor::from_local(
        contiguous_view<std::byte>(nullptr, dtype, *DTensor::local_sizes(layout, 0)), layout, 0));
    EXPECT_TRUE(state.add(fqn, tensors_.back()));
  }
  StateDict state;

 private:
  std::deque<DTensor> tensors_;
};

std::string disagreement(PlannerKind kind, const std::function<void(DisagreeingState&)>& other) {
  DisagreeingState usual;
  usual.add("a", {8, 4}, Dtype::float32, {3}, Placement::replicate());
  usual.add("b", {6}, Dtype::float32, {3}, Placement::replicate());
  DisagreeingState odd;
  other(odd);
  LocalPlanExchange exchange(3);
  const auto planner = make_save_planner(kind, DedupPolicy::balanced);
  const auto planned =
      planner->plan({.state_dict_of = [&](int rank) -> Result<const StateDict*> {
                       return rank == 1 ? &odd.state : &usual.state;
                     },
                     .exchange = exchange,
                     .take = [](int, const std::shared_ptr<const SavePlan>&) { return Status(); }});
  EXPECT_FALSE(planned);
  return planned ? "" : planned.error().message;
}

TEST(SavePlanner, RanksThatDisagreeAreNamedWithBothValues) {
  const auto replicate = Placement::replicate();
  for (const PlannerKind kind : all_kinds()) {
    SCOPED_TRACE(planner_kind_name(kind));
    EXPECT_THAT(disagreement(kind,
                             [&](DisagreeingState& odd) {
                               odd.add("a", {8, 5}, Dtype::float32, {3}, replicate);
                               odd.add("b", {6}, Dtype::float32, {3}, replicate);
                             }),
                AllOf(HasSubstr("ranks disagree on 'a'"), HasSubstr("[8, 4]"), HasSubstr("[8, 5]"),
                      HasSubstr("rank 1 has")));
    EXPECT_THAT(disagreement(kind,
                             [&](DisagreeingState& odd) {
                               odd.add("a", {8, 4}, Dtype::float32, {3}, replicate);
                               odd.add("b", {6}, Dtype::int32, {3}, replicate);
                             }),
                AllOf(HasSubstr("ranks disagree on 'b'"), HasSubstr("float32 tensor [6]"),
                      HasSubstr("int32 tensor [6]"), HasSubstr("rank 1 has")));
    EXPECT_THAT(
        disagreement(kind,
                     [&](DisagreeingState& odd) {
                       odd.add("b", {6}, Dtype::float32, {1, 3}, replicate);
                       odd.add("a", {8, 4}, Dtype::float32, {3}, replicate);
                     }),
        AllOf(HasSubstr("ranks disagree on 'b'"), HasSubstr("on mesh [3]"),
              HasSubstr("on mesh [1, 3]"), HasSubstr("ranks 0, 2 have"), HasSubstr("rank 1 has")));
    EXPECT_THAT(disagreement(kind,
                             [&](DisagreeingState& odd) {
                               odd.add("a", {8, 4}, Dtype::float32, {3}, replicate);
                               odd.add("b", {6}, Dtype::float32, {1}, Placement::shard(0));
                             }),
                AllOf(HasSubstr("ranks disagree on 'b'"), HasSubstr("with R on mesh [3]"),
                      HasSubstr("with S(0) on mesh [1]")));
    EXPECT_THAT(disagreement(kind,
                             [&](DisagreeingState& odd) {
                               odd.add("b", {6}, Dtype::float32, {3}, replicate);
                             }),
                AllOf(HasSubstr("ranks disagree on 'a'"), HasSubstr("ranks 0, 2 have"),
                      HasSubstr("rank 1 has no such tensor")));
    EXPECT_THAT(disagreement(kind,
                             [&](DisagreeingState& odd) {
                               odd.add("a", {8, 4}, Dtype::float32, {3}, replicate);
                               odd.add("aa", {6}, Dtype::float32, {3}, replicate);
                               odd.add("b", {6}, Dtype::float32, {3}, replicate);
                             }),
                AllOf(HasSubstr("ranks disagree on 'aa'"), HasSubstr("ranks 0, 2 have no such"),
                      HasSubstr("rank 1 has a float32 tensor [6]")));
  }
}

/// Counts how often the inner planner was asked.
class CountingPlanner final : public SavePlanner {
 public:
  CountingPlanner(std::unique_ptr<SavePlanner> inner, int& count)
      : inner_(std::move(inner)), count_(count) {}
  Result<SavePlanning> plan(const PlanningCall& call) override {
    ++count_;
    return inner_->plan(call);
  }

 private:
  std::unique_ptr<SavePlanner> inner_;
  int& count_;
};

TEST(CachedSavePlanner, GivesWhatTheInnerPlannerGave) {
  RandomSource random;
  for (const PlannerKind kind : all_kinds()) {
    int count = 0;
    const auto planner = make_cached_save_planner(
        std::make_unique<CountingPlanner>(make_save_planner(kind, DedupPolicy::balanced), count));
    VirtualState one(random, 6, 5, true);
    VirtualState two(random, 6, 5, true);
    // Two state dicts in alternation: each is planned once, and neither gets the other's plan.
    for (int round = 0; round < 3; ++round) {
      for (VirtualState* state : {&one, &two}) {
        auto planned = plan_all(*planner, *state);
        ASSERT_TRUE(planned) << planned.error().message;
        expect_complete(*planned, *state);
        expect_owners_and_statistics(*planned, *state);
      }
    }
    EXPECT_EQ(count, 2);
  }
}

TEST(CachedSavePlanner, AnyChangeIsPlannedAnew) {
  struct Variant {
    const char* what;
    std::string fqn = "a";
    Dims sizes = {8, 4};
    Dtype dtype = Dtype::float32;
    Dims mesh = {4};
    Placement placement = Placement::shard(0);
    int world_size = 4;
    std::size_t object_bytes = 8;
  };
  const std::vector<Variant> variants = {
      {"nothing"},
      {"key", "b"},
      {"shape", "a", {8, 5}},
      {"dtype", "a", {8, 4}, Dtype::int32},
      {"mesh", "a", {8, 4}, Dtype::float32, {2, 2}},
      {"placement", "a", {8, 4}, Dtype::float32, {4}, Placement::shard(1)},
      {"world", "a", {8, 4}, Dtype::float32, {4}, Placement::shard(0), 5},
      {"object", "a", {8, 4}, Dtype::float32, {4}, Placement::shard(0), 4, 9}};
  for (const PlannerKind kind : all_kinds()) {
    int count = 0;
    const auto planner = make_cached_save_planner(
        std::make_unique<CountingPlanner>(make_save_planner(kind, DedupPolicy::balanced), count));
    for (const Variant& variant : variants) {
      SCOPED_TRACE(variant.what);
      const DeviceMesh mesh = *DeviceMesh::row_major(variant.mesh);
      const std::vector<Placement> placements(variant.mesh.size(), variant.placement);
      const TensorLayout layout =
          *make_tensor_layout(variant.sizes, variant.dtype, mesh, placements);
      DTensor tensor = *DTensor::from_local(
          contiguous_view<std::byte>(nullptr, variant.dtype, *DTensor::local_sizes(layout, 0)),
          layout, 0);
      std::vector<std::byte> object(variant.object_bytes);
      StateDict state;
      ASSERT_TRUE(state.add(variant.fqn, tensor));
      ASSERT_TRUE(state.add_object("step", std::span(object)));
      const int before = count;
      for (int repeat = 0; repeat < 2; ++repeat) {
        LocalPlanExchange exchange(variant.world_size);
        std::int64_t elements = 0;
        const auto planned =
            planner->plan({.state_dict_of = [&](int rank) -> Result<const StateDict*> {
                             EXPECT_TRUE(tensor.move_to_rank(rank));
                             return &state;
                           },
                           .exchange = exchange,
                           .take =
                               [&](int, const std::shared_ptr<const SavePlan>& plan) {
                                 for (const PlannedWrite& write : plan->writes) {
                                   elements += write.box.num_elements();
                                 }
                                 return Status();
                               }});
        ASSERT_TRUE(planned);
        const Entry& entry = planned->entries->entries.front();
        EXPECT_EQ(entry.fqn, variant.fqn);
        EXPECT_EQ(entry.dtype, variant.dtype);
        EXPECT_EQ(entry.sizes, variant.sizes);
        EXPECT_EQ(elements,
                  volume(variant.sizes) + static_cast<std::int64_t>(variant.object_bytes));
      }
      EXPECT_EQ(count, before + 1);
    }
  }
}

TEST(CachedSavePlanner, ChunksOfATensorWithoutLayoutCount) {
  testing::BoxState whole;
  whole.add("w", {{4}, Dtype::int8, {Box{{0}, {4}}}});
  testing::BoxState halves;
  halves.add("w", {{4}, Dtype::int8, {Box{{0}, {2}}, Box{{2}, {2}}}});
  const auto planner = make_cached_save_planner(make_layout_save_planner(DedupPolicy::balanced));
  LocalPlanExchange exchange(1);
  for (int round = 0; round < 2; ++round) {
    for (const auto& [state, writes] : {std::pair(&whole, 1U), std::pair(&halves, 2U)}) {
      std::size_t planned_writes = 0;
      const auto planned =
          planner->plan({.state_dict_of = [&, dict = &state->state](
                                              int) -> Result<const StateDict*> { return dict; },
                         .exchange = exchange,
                         .take =
                             [&](int, const std::shared_ptr<const SavePlan>& plan) {
                               planned_writes = plan->writes.size();
                               return Status();
                             }});
      ASSERT_TRUE(planned);
      EXPECT_EQ(planned_writes, writes);
    }
  }
}

}  // namespace
}  // namespace shardmark
