// SPDX-License-Identifier: Apache-2.0
// The coordinator's merge and the whole planner over virtual ranks. The numbered edge cases stand
// in testing/edge_cases.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "shardmark/plan/merge/local_save_plan.hpp"
#include "shardmark/plan/merge/merged_plans.hpp"
#include "shardmark/plan/save/save_planner.hpp"
#include "shardmark/tensor/dtensor.hpp"
#include "shardmark/testing/edge_cases/planned_boxes.hpp"

namespace shardmark {
namespace {

using shardmark::testing::BoxTensor;
using shardmark::testing::message_of;
using shardmark::testing::plan_boxes;
using ::testing::HasSubstr;

TEST(GlobalPlan, AChunkListedTwiceByOneRankIsAnError) {
  const Box whole = whole_box({4});
  EXPECT_THAT(message_of(plan_boxes({4}, {{whole, whole}})), HasSubstr("'w': rank 0 lists chunk"));
  EXPECT_THAT(message_of(plan_boxes({}, {{Box{}, Box{}}})), HasSubstr("'w'"));
}

TEST(GlobalPlan, DamagedBytesNameTheirRank) {
  MergedPlans merged;
  const std::vector<std::byte> junk(7, std::byte{0x7F});
  const Status added = merged.add(1, junk);
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
  const auto planning =
      planner->plan({.state_dict_of = [&](int rank) -> Result<const StateDict*> {
                       player.move_to(rank, world_size);
                       return player.state();
                     },
                     .exchange = exchange,
                     .take =
                         [&](int rank, const std::shared_ptr<const SavePlan>& plan) {
                           plans[static_cast<std::size_t>(rank)] = *plan;
                           return Status();
                         }});
  ASSERT_TRUE(planning) << planning.error().message;
  ASSERT_TRUE(planning->global);
  std::int64_t total = 0;
  for (int rank = 0; rank < world_size; ++rank) {
    player.move_to(rank, world_size);
    for (const PlannedWrite& write : plans[static_cast<std::size_t>(rank)].writes) {
      const Entry& entry = planning->entries->entries.at(write.entry);
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
  EXPECT_EQ(owner_of.size(), planning->entries->num_chunks());
  EXPECT_EQ(total, 20 * (1009 * 16 * 2 + 64 * 4 + 333 * 4 * 4) + 8 + 24);
  const SavePlanStatistics& statistics = planning->global->statistics;
  EXPECT_EQ(statistics.num_bytes, total);
  EXPECT_EQ(statistics.rank_bytes, rank_bytes);
  // Everybody speaks three times: its plan, the entry table, its part.
  // The agreement on layouts, the gather, the entry table, the scatter.
  EXPECT_EQ(exchange.traffic().messages, 4U * (world_size - 1));
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
  const auto planning =
      make_coordinator_save_planner(DedupPolicy::balanced)
          ->plan({.state_dict_of = [&](int) { return Result<const StateDict*>(&state); },
                  .exchange = exchange,
                  .take = [](int, const std::shared_ptr<const SavePlan>&) { return Status(); }});
  ASSERT_FALSE(planning);
  EXPECT_EQ(planning.error().code, ErrorCode::unsupported);
  EXPECT_EQ(planning.error().message, "'layer.w': not today");
}

}  // namespace
}  // namespace shardmark
