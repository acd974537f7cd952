// SPDX-License-Identifier: Apache-2.0
// The coordinator's merge, edge case by edge case (numbers of the protocol notes' list), and the
// whole planner over virtual ranks.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "shardmark/plan/global_plan_builder.hpp"
#include "shardmark/plan/local_save_plan.hpp"
#include "shardmark/plan/save_planner.hpp"
#include "shardmark/tensor/dtensor.hpp"
#include "shardmark/testing/box_tensor.hpp"
#include "shardmark/testing/random_source.hpp"

namespace shardmark {
namespace {

using shardmark::testing::BoxState;
using shardmark::testing::BoxTensor;
using shardmark::testing::RandomSource;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Plans for one state dict a rank.
Result<GlobalSavePlan> plan_for(std::span<const BoxState> ranks,
                                DedupPolicy policy = DedupPolicy::balanced) {
  GlobalPlanBuilder builder(static_cast<int>(ranks.size()));
  std::vector<WriteItem> items;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    SHARDMARK_RETURN_IF_ERROR(collect_write_items(ranks[rank].state, items));
    SHARDMARK_ASSIGN_OR_RETURN(const LocalSavePlan plan, make_local_save_plan(items));
    ByteWriter out;
    encode(plan, out);
    SHARDMARK_RETURN_IF_ERROR(builder.add(static_cast<int>(rank), out.bytes()));
  }
  return builder.finish(policy);
}

/// One tensor "w", the boxes of each rank.
Result<GlobalSavePlan> plan_boxes(const Dims& sizes, const std::vector<std::vector<Box>>& ranks,
                                  DedupPolicy policy = DedupPolicy::balanced) {
  std::vector<BoxState> states(ranks.size());
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    states[rank].add("w", {sizes, Dtype::float32, ranks[rank]});
  }
  return plan_for(states, policy);
}

std::string message_of(const Result<GlobalSavePlan>& plan) {
  EXPECT_FALSE(plan);
  if (plan) {
    return "";
  }
  EXPECT_EQ(plan.error().code, ErrorCode::invalid_argument);
  return plan.error().message;
}

TEST(GlobalPlan, Case26_AReplicaOnAllRanksIsWrittenOnce) {
  const Box whole = whole_box({4, 4});
  const auto plan = plan_boxes({4, 4}, {{whole}, {whole}, {whole}});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_THAT(plan->owners, ElementsAre(0));
  EXPECT_EQ(plan->statistics.items, 3U);
  EXPECT_EQ(plan->statistics.num_bytes, 64);
  EXPECT_EQ(plan->statistics.deduplicated_bytes, 128);
  EXPECT_THAT(plan->statistics.rank_bytes, ElementsAre(64, 0, 0));
  EXPECT_EQ(plan->plan_of(0).writes.size(), 1U);
  EXPECT_TRUE(plan->plan_of(2).writes.empty());
}

TEST(GlobalPlan, Case27_TheSameCornerWithDifferentSizesIsAnError) {
  EXPECT_THAT(message_of(plan_boxes({4, 4}, {{{{0, 0}, {4, 2}}}, {{{0, 0}, {4, 4}}}})),
              HasSubstr("'w': two chunks start at [0, 0]: rank 0 has [4, 2], rank 1 has [4, 4]"));
}

TEST(GlobalPlan, Case28_GlobalShapesOrDtypesThatDifferAreAnError) {
  const auto plan_two = [](const BoxTensor& a, const BoxTensor& b) {
    std::vector<BoxState> states(3);
    states[0].add("v", {{1}, Dtype::int8, {whole_box({1})}});
    states[1].add("w", a);
    states[2].add("w", b);
    return plan_for(states);
  };
  const BoxTensor tensor{{4}, Dtype::float32, {whole_box({4})}};
  EXPECT_THAT(message_of(plan_two(tensor, {{5}, Dtype::float32, {whole_box({5})}})),
              HasSubstr("'w': rank 1 has a float32 tensor [4], rank 2 has a float32 tensor [5]"));
  EXPECT_THAT(message_of(plan_two(tensor, {{4}, Dtype::int32, {whole_box({4})}})),
              HasSubstr("'w': rank 1 has a float32 tensor [4], rank 2 has a int32 tensor [4]"));
  EXPECT_THAT(message_of(plan_two(tensor, {{4, 1}, Dtype::float32, {whole_box({4, 1})}})),
              HasSubstr("[4, 1]"));
}

TEST(GlobalPlan, Case29_EmptyShardsLeaveNoChunk) {
  const Box empty{{4}, {0}};
  const auto plan = plan_boxes({4}, {{{{0}, {4}}}, {empty}, {empty}, {empty}});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->chunks.size(), 1U);
  EXPECT_EQ(plan->statistics.items, 1U);
  // A tensor of nothing but empty shards keeps its entry.
  const auto none = plan_boxes({0, 3}, {{whole_box({0, 3})}, {Box{{0, 3}, {0, 0}}}});
  ASSERT_TRUE(none) << none.error().message;
  ASSERT_EQ(none->entries.entries.size(), 1U);
  EXPECT_EQ(none->entries.entries[0].num_chunks, 0U);
}

TEST(GlobalPlan, Case30_OverlapGapAndOutOfBoundsEachAlone) {
  EXPECT_THAT(message_of(plan_boxes({10}, {{{{0}, {4}}}, {{{3}, {7}}}})),
              HasSubstr("'w': chunk [0]+[4] of rank 0 and chunk [3]+[7] of rank 1 overlap at "
                        "element [3]"));
  EXPECT_THAT(message_of(plan_boxes({10}, {{{{0}, {4}}}, {{{5}, {5}}}})),
              HasSubstr("'w': no rank holds element [4]"));
  EXPECT_THAT(message_of(plan_boxes({10}, {{{{0}, {4}}}, {{{4}, {7}}}})),
              HasSubstr("'w': chunk [4]+[7] is out of bounds of [10]"));
  EXPECT_THAT(message_of(plan_boxes({10}, {{{{-1}, {4}}}})), HasSubstr("out of bounds"));
  EXPECT_THAT(message_of(plan_boxes({10}, {{{{0, 0}, {4, 1}}}})), HasSubstr("'w'"));
}

TEST(GlobalPlan, Case31_AGapAndAnOverlapThatCancelInVolume) {
  EXPECT_THAT(message_of(plan_boxes({8}, {{{{0}, {4}}}, {{{3}, {4}}}})),
              HasSubstr("overlap at element [3]"));
  EXPECT_THAT(message_of(plan_boxes({4, 4}, {{{{0, 0}, {2, 4}}}, {{{1, 0}, {2, 4}}}})),
              HasSubstr("overlap at element [1, 0]"));
}

TEST(GlobalPlan, Case32_AnEmptyBoxStrictlyInsideAnotherDoesNoHarm) {
  const auto plan = plan_boxes({8}, {{{{0}, {8}}}, {{{5}, {0}}}});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->chunks.size(), 1U);
}

TEST(GlobalPlan, Case33_TensorAndBytesUnderOneFqn) {
  std::vector<BoxState> states(2);
  states[0].add("w", {{4}, Dtype::uint8, {whole_box({4})}});
  states[1].add_object("w", 4);
  EXPECT_THAT(message_of(plan_for(states)),
              HasSubstr("'w': rank 0 has a uint8 tensor [4], rank 1 has an object of 4 bytes"));
}

TEST(GlobalPlan, Case34_GapsAreFoundAtOneRankToo) {
  EXPECT_THAT(message_of(plan_boxes({4, 4}, {{{{0, 0}, {4, 3}}}})),
              HasSubstr("no rank holds element [0, 3]"));
}

TEST(GlobalPlan, Case35_BalanceByRealBytesWithTiesToTheLowestRank) {
  // Four ranks with a quarter of "w" each, and four replicas as big as a quarter.
  std::vector<BoxState> states(4);
  for (std::int64_t rank = 0; rank < 4; ++rank) {
    BoxState& state = states[static_cast<std::size_t>(rank)];
    state.add("w", {{64, 1}, Dtype::float32, {{{16 * rank, 0}, {16, 1}}}});
    for (const char* name : {"n0", "n1", "n2", "n3"}) {
      state.add(name, {{16}, Dtype::float32, {whole_box({16})}});
    }
  }
  const auto plan = plan_for(states);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_THAT(plan->statistics.rank_bytes, ElementsAre(128, 128, 128, 128));
  EXPECT_THAT(plan->owners, ElementsAre(0, 1, 2, 3, 0, 1, 2, 3));

  std::vector<std::vector<Box>> nine(9);
  nine[1] = nine[8] = {whole_box({4})};
  EXPECT_THAT(plan_boxes({4}, nine)->owners, ElementsAre(1));
}

/// Case 36: what a rank lists first must not matter.
TEST(GlobalPlan, Case36_TheSamePlanForAnyOrderOfEntriesAndBoxes) {
  RandomSource random;
  for (int round = 0; round < 50; ++round) {
    constexpr std::size_t world_size = 5;
    std::vector<std::vector<std::pair<std::string, BoxTensor>>> held(world_size);
    for (const char* fqn : {"a", "b.c", "d", "zz"}) {
      const Dims sizes = random.sizes(static_cast<int>(random.number(4)), 1, 9);
      std::vector<BoxTensor> parts(world_size, BoxTensor{sizes, Dtype::bfloat16, {}});
      for (const Box& box : random.tiling(sizes, 3)) {
        const std::size_t always = random.index(world_size);
        for (std::size_t rank = 0; rank < world_size; ++rank) {
          if (rank == always || random.one_in(3)) {
            parts[rank].boxes.push_back(box);
          }
        }
      }
      for (std::size_t rank = 0; rank < world_size; ++rank) {
        held[rank].emplace_back(fqn, parts[rank]);
      }
    }
    const auto plan_of_held = [&] {
      std::vector<BoxState> states(world_size);
      for (std::size_t rank = 0; rank < world_size; ++rank) {
        for (const auto& [fqn, tensor] : held[rank]) {
          states[rank].add(fqn, tensor);
        }
      }
      return *plan_for(states);
    };
    const auto bytes_of = [](const GlobalSavePlan& plan) {
      ByteWriter out;
      encode(plan.entries, out);
      encode(plan.chunks, plan.entries, out);
      for (int rank = 0; rank < static_cast<int>(world_size); ++rank) {
        encode(plan.plan_of(rank), plan.entries, out);
      }
      return std::move(out).take();
    };
    const GlobalSavePlan first = plan_of_held();
    for (auto& list : held) {
      std::shuffle(list.begin(), list.end(), random.engine());
      for (auto& [fqn, tensor] : list) {
        std::shuffle(tensor.boxes.begin(), tensor.boxes.end(), random.engine());
      }
    }
    const GlobalSavePlan second = plan_of_held();
    ASSERT_EQ(second.owners, first.owners);
    ASSERT_EQ(bytes_of(second), bytes_of(first));
  }
}

TEST(GlobalPlan, AChunkListedTwiceByOneRankIsAnError) {
  const Box whole = whole_box({4});
  EXPECT_THAT(message_of(plan_boxes({4}, {{whole, whole}})), HasSubstr("'w': rank 0 lists chunk"));
  EXPECT_THAT(message_of(plan_boxes({}, {{Box{}, Box{}}})), HasSubstr("'w'"));
}

TEST(GlobalPlan, DamagedBytesNameTheirRank) {
  GlobalPlanBuilder builder(2);
  const std::vector<std::byte> junk(7, std::byte{0x7F});
  const Status added = builder.add(1, junk);
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().code, ErrorCode::data_loss);
  EXPECT_THAT(added.error().message, HasSubstr("rank 1: "));
}

/// The state of a virtual rank: sharded, replicated, doubly sharded, scalar, object.
class VirtualRank {
 public:
  void move_to(int rank, int world_size) {
    state_.emplace();
    tensors_.clear();
    const auto add = [&](const std::string& fqn, const Dims& sizes, const Dims& mesh,
                         std::vector<Placement> placements, Dtype dtype) {
      const TensorLayout layout =
          *make_tensor_layout(sizes, dtype, *DeviceMesh::row_major(mesh), placements);
      const Dims local = *DTensor::local_sizes(layout, rank);
      tensors_.push_back(
          *DTensor::from_local(contiguous_view<std::byte>(nullptr, dtype, local), layout, rank));
      ASSERT_TRUE(state_->add(fqn, tensors_.back()));
    };
    const auto s = Placement::shard(0);
    const auto r = Placement::replicate();
    for (int layer = 0; layer < 20; ++layer) {
      const std::string name = fmt::format("layers.{}.", layer);
      add(name + "w", {1009, 16}, {world_size}, {s}, Dtype::bfloat16);
      add(name + "norm", {64}, {world_size}, {r}, Dtype::float32);
      add(name + "hsdp", {333, 4}, {2, world_size / 2}, {r, s}, Dtype::float32);
    }
    add("scale", {}, {world_size}, {r}, Dtype::float64);
    object_.resize(24);
    ASSERT_TRUE(state_->add_object("step", std::span(object_)));
  }
  const StateDict* state() const { return &*state_; }

 private:
  std::optional<StateDict> state_;
  std::deque<DTensor> tensors_;
  std::vector<std::byte> object_;
};

TEST(CoordinatorSavePlanner, EveryChunkIsWrittenOnceByOneOfItsHolders) {
  constexpr int world_size = 258;
  LocalPlanExchange exchange(world_size);
  VirtualRank player;
  std::map<std::uint64_t, int> owner_of;
  std::vector<std::int64_t> rank_bytes(world_size, 0);
  std::vector<SavePlan> plans(world_size);
  const auto planner = make_coordinator_save_planner(DedupPolicy::balanced);
  const auto planning = planner->plan(
      [&](int rank) -> Result<const StateDict*> {
        player.move_to(rank, world_size);
        return player.state();
      },
      exchange,
      [&](int rank, SavePlan&& plan) {
        plans[static_cast<std::size_t>(rank)] = std::move(plan);
        return Status();
      },
      [](PlanStep) {});
  ASSERT_TRUE(planning) << planning.error().message;
  ASSERT_TRUE(planning->global);
  std::int64_t total = 0;
  for (int rank = 0; rank < world_size; ++rank) {
    player.move_to(rank, world_size);
    for (const PlannedWrite& write : plans[static_cast<std::size_t>(rank)].writes) {
      const Entry& entry = planning->entries.entries.at(write.entry);
      ASSERT_TRUE(owner_of.emplace(write.chunk, rank).second) << "written twice";
      ASSERT_EQ(write.box, planning->global->chunks.box(write.chunk, entry.sizes.ndim()));
      rank_bytes[static_cast<std::size_t>(rank)] +=
          write.box.num_elements() * element_size(entry.dtype);
      if (entry.kind == EntryKind::tensor) {
        const auto held = player.state()->find(entry.fqn)->tensor->create_chunk_list();
        ASSERT_THAT(*held, ::testing::Contains(write.box));
        ASSERT_EQ(write.source, write.box.offsets);
      }
    }
    total += rank_bytes[static_cast<std::size_t>(rank)];
  }
  EXPECT_EQ(owner_of.size(), planning->entries.num_chunks());
  EXPECT_EQ(total, 20 * (1009 * 16 * 2 + 64 * 4 + 333 * 4 * 4) + 8 + 24);
  const SavePlanStatistics& statistics = planning->global->statistics;
  EXPECT_EQ(statistics.num_bytes, total);
  EXPECT_EQ(statistics.rank_bytes, rank_bytes);
  // Everybody speaks three times: its plan, the entry table, its part.
  EXPECT_EQ(exchange.traffic().messages, 3U * (world_size - 1));
  EXPECT_LE(exchange.traffic().bytes_gathered, 64 * statistics.items + world_size * 62U * 20U);
}

TEST(CoordinatorSavePlanner, AHookThatFailsEndsThePlanning) {
  struct Refuses : BoxTensor {
    Result<std::vector<WriteItem>> create_write_items(std::string_view) const {
      return Error{ErrorCode::unsupported, "not today"};
    }
  };
  Refuses tensor;
  StateDict state;
  ASSERT_TRUE(state.add("layer.w", tensor));
  LocalPlanExchange exchange(2);
  const auto planning = make_coordinator_save_planner(DedupPolicy::balanced)
                            ->plan([&](int) { return Result<const StateDict*>(&state); }, exchange,
                                   [](int, SavePlan&&) { return Status(); }, [](PlanStep) {});
  ASSERT_FALSE(planning);
  EXPECT_EQ(planning.error().code, ErrorCode::unsupported);
  EXPECT_EQ(planning.error().message, "'layer.w': not today");
}

}  // namespace
}  // namespace shardmark
