// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "shardmark/plan/save/save_planner.hpp"
#include "shardmark/protocol/content_mark.hpp"
#include "shardmark/tensor/block_cyclic.hpp"
#include "shardmark/tensor/dtensor.hpp"
#include "shardmark/tensor/flat_shard.hpp"
#include "shardmark/tensor/grouped_experts.hpp"
#include "shardmark/tensor/plain_tensor.hpp"
#include "shardmark/tensor/ragged_shard.hpp"
#include "shardmark/tensor/sharded_tensor.hpp"
#include "shardmark/testing/box_tensor.hpp"

// A planner that remembers plans may skip asking the tensors only where none can have changed.

namespace shardmark {
namespace {

static_assert(AnnouncesChanges<DTensor> && AnnouncesChanges<PlainTensor> &&
              AnnouncesChanges<ShardedTensor> && AnnouncesChanges<FlatShard> &&
              AnnouncesChanges<RaggedShard> && AnnouncesChanges<BlockCyclic> &&
              AnnouncesChanges<GroupedExperts>);
static_assert(!AnnouncesChanges<testing::BoxTensor>);

DTensor alone(const Dims& sizes, Dtype dtype = Dtype::float32) {
  const std::array placements = {Placement::shard(0)};
  const TensorLayout layout =
      *make_tensor_layout(sizes, dtype, *DeviceMesh::row_major({1}), placements);
  return *DTensor::from_local(contiguous_view<std::byte>(nullptr, dtype, sizes), layout, 0);
}

/// Says how often it was asked.
class AskedTensor {
 public:
  explicit AskedTensor(int& asked) : tensor_(alone({4})), asked_(asked) {}
  Result<std::vector<WriteItem>> create_write_items(std::string_view fqn) const {
    ++asked_;
    return tensor_.create_write_items(fqn);
  }
  Result<std::vector<ChunkStorageMetadata>> create_chunk_list() const {
    ++asked_;
    return tensor_.create_chunk_list();
  }
  Result<ConstTensorView> get_tensor_shard(const MetadataIndex& index) const {
    return tensor_.get_tensor_shard(index);
  }
  Result<TensorView> get_tensor_shard(const MetadataIndex& index) {
    return tensor_.get_tensor_shard(index);
  }
  const TensorLayout& layout() const {
    ++asked_;
    return tensor_.layout();
  }
  const ContentMark& content_mark() const { return tensor_.content_mark(); }

 private:
  DTensor tensor_;
  int& asked_;
};

/// "a[4] float32; b[2, 3] int8": what the planner takes the state dict for.
std::string planned(SavePlanner& planner, const StateDict& state) {
  LocalPlanExchange exchange(1);
  std::string text;
  const auto planning =
      planner.plan({.state_dict_of = [&](int) -> Result<const StateDict*> { return &state; },
                    .exchange = exchange,
                    .take = [](int, const std::shared_ptr<const SavePlan>&) { return Status(); }});
  EXPECT_TRUE(planning);
  for (const Entry& entry : planning->entries->entries) {
    text += (text.empty() ? "" : "; ") + entry.fqn + to_string(entry.sizes) + " " +
            std::string(dtype_name(entry.dtype));
  }
  return text;
}

std::unique_ptr<SavePlanner> cached(PlannerKind kind) {
  return make_cached_save_planner(make_save_planner(kind, DedupPolicy::balanced));
}

TEST(CachedKey, IsRememberedUntilAChangeIsAnnounced) {
  for (const PlannerKind kind : {PlannerKind::layout, PlannerKind::coordinator}) {
    int asked = 0;
    AskedTensor tensor(asked);
    StateDict state;
    ASSERT_TRUE(state.add("a", tensor));
    const auto planner = cached(kind);
    EXPECT_EQ(planned(*planner, state), "a[4] float32");
    EXPECT_GT(std::exchange(asked, 0), 0);
    for (int save = 0; save < 3; ++save) {
      EXPECT_EQ(planned(*planner, state), "a[4] float32");
      EXPECT_EQ(asked, 0);
    }
    ContentMark::announce();
    EXPECT_EQ(planned(*planner, state), "a[4] float32");
    EXPECT_GT(std::exchange(asked, 0), 0) << "it might have changed";
    EXPECT_EQ(planned(*planner, state), "a[4] float32");
    EXPECT_EQ(asked, 0);
  }
}

TEST(CachedKey, AChangeInPlaceIsSeen) {
  for (const PlannerKind kind : {PlannerKind::layout, PlannerKind::coordinator}) {
    const auto planner = cached(kind);
    DTensor tensor = alone({4});
    std::vector<std::byte> memory(64);
    PlainTensor plain(contiguous_view(memory.data(), Dtype::int8, {2, 3}));
    std::optional<StateDict> state(std::in_place);
    ASSERT_TRUE(state->add("a", tensor));
    ASSERT_TRUE(state->add("b", plain));
    const auto twice = [&] {
      std::string first = planned(*planner, *state);
      EXPECT_EQ(planned(*planner, *state), first);
      return first;
    };
    EXPECT_EQ(twice(), "a[4] float32; b[2, 3] int8");
    tensor = alone({5});
    EXPECT_EQ(twice(), "a[5] float32; b[2, 3] int8");
    plain = PlainTensor(contiguous_view(memory.data(), Dtype::int16, {2, 3}));
    EXPECT_EQ(twice(), "a[5] float32; b[2, 3] int16");
    DTensor other = alone({7}, Dtype::int64);
    std::swap(tensor, other);
    EXPECT_EQ(twice(), "a[7] int64; b[2, 3] int16");
    ASSERT_TRUE(state->add("c", other));
    EXPECT_EQ(twice(), "a[7] int64; b[2, 3] int16; c[5] float32");
    ASSERT_TRUE(state->add_object("d", std::span(memory).first(3)));
    EXPECT_EQ(twice(), "a[7] int64; b[2, 3] int16; c[5] float32; d[3] uint8");
    // Another one at the same address.
    state.emplace();
    ASSERT_TRUE(state->add("d", tensor));
    EXPECT_EQ(twice(), "d[7] int64");
    StateDict moved = std::move(*state);
    EXPECT_EQ(planned(*planner, moved), "d[7] int64");
    *state = StateDict();
    ASSERT_TRUE(state->add("e", other));
    EXPECT_EQ(twice(), "e[5] float32");
  }
}

TEST(CachedKey, ATypeThatAnnouncesNothingIsAskedEveryTime) {
  DTensor tensor = alone({4});
  testing::BoxTensor boxes{{4}, Dtype::int8, {Box{{0}, {4}}}};
  StateDict state;
  ASSERT_TRUE(state.add("a", tensor));
  ASSERT_TRUE(state.add("w", boxes));
  const auto planner = cached(PlannerKind::layout);
  EXPECT_EQ(planned(*planner, state), "a[4] float32; w[4] int8");
  boxes.global_sizes = {5};
  boxes.boxes = {Box{{0}, {5}}};
  EXPECT_EQ(planned(*planner, state), "a[4] float32; w[5] int8");
}

}  // namespace
}  // namespace shardmark
