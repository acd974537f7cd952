// SPDX-License-Identifier: Apache-2.0
// A type that breaks each rule in turn: the kit must name it.
#include <gtest/gtest.h>

#include "shardmark/testing/conformance.hpp"

namespace shardmark::testing {
namespace {

enum class Fault {
  none,
  cannot_be_made,
  hook_fails,
  forgets,        // the second call lists nothing
  other_order,    // the chunk list is the other way round
  other_box,      // an item's box is smaller
  item_offset,    // an item's index names another corner
  copies_fqn,     // into a string of its own
  dtype_by_rank,  // rank 1 has another dtype
  sizes_by_rank,  // rank 1 has another global shape
  out_of_bounds,  // the last box is too long
  wrong_ndim,     // a box of one dimension
  one_corner,     // two boxes start at one offset
  hole,           // the last rank holds a row less
  overlap,        // rank 0 holds a row of its neighbour too
  wrong_sizes,    // a view of another size
  trusts_hint,    // finds whatever the hint says
  any_offset,     // finds the first box at any offset
  wrong_code,     // unknown offsets are invalid_argument
  guesses,        // without an offset it gives the first box
  copy_to_save,   // the view to read is a copy
  shared_memory,  // all boxes lie in one memory
  lying_layout,   // layout() says replicated
};

/// Rows of a [13, 2] tensor, two boxes a rank.
struct Rows {
  Fault fault = Fault::none;
  std::int64_t rank = 0;
  Dims sizes = {13, 2};
  std::vector<Box> boxes;
  std::vector<std::int32_t> memory;
  std::vector<std::int32_t> copy;
  TensorLayout given;
  mutable int calls = 0;
  mutable std::string own_fqn;

  Dtype dtype() const {
    return fault == Fault::dtype_by_rank && rank == 1 ? Dtype::float32 : Dtype::int32;
  }

  Result<std::vector<WriteItem>> create_write_items(std::string_view fqn) const {
    if (fault == Fault::hook_fails) {
      return Error{ErrorCode::internal, "no list today"};
    }
    own_fqn = fqn;
    std::vector<WriteItem> items;
    for (const Box& box : boxes) {
      items.push_back(make_write_item(fault == Fault::copies_fqn ? own_fqn : fqn,
                                      WriteItemType::shard, box, dtype(), sizes,
                                      static_cast<std::int64_t>(items.size())));
    }
    if (!items.empty() && fault == Fault::other_box) {
      items[0].tensor_data.chunk.sizes[1] = 1;
    }
    if (!items.empty() && fault == Fault::item_offset) {
      items[0].index.offset = Dims{1, 1};
    }
    return fault == Fault::forgets && calls++ > 0 ? std::vector<WriteItem>() : items;
  }
  Result<std::vector<Box>> create_chunk_list() const {
    return fault == Fault::other_order ? std::vector<Box>(boxes.rbegin(), boxes.rend()) : boxes;
  }
  Result<std::size_t> find(const MetadataIndex& index) const {
    if (!index.offset && fault != Fault::guesses) {
      return Error{ErrorCode::invalid_argument, "which?"};
    }
    if (fault == Fault::trusts_hint && index.index && *index.index >= 0 &&
        *index.index < static_cast<std::int64_t>(boxes.size())) {
      return static_cast<std::size_t>(*index.index);
    }
    for (std::size_t i = 0; i < boxes.size(); ++i) {
      if (!index.offset || boxes[i].offsets == *index.offset) {
        return i;
      }
    }
    if (fault == Fault::any_offset && !boxes.empty()) {
      return std::size_t{0};
    }
    return Error{fault == Fault::wrong_code ? ErrorCode::invalid_argument : ErrorCode::not_found,
                 "no such box"};
  }
  template <typename Byte, typename Memory>
  Result<BasicTensorView<Byte>> view(Memory& from, const MetadataIndex& index) const {
    SHARDMARK_ASSIGN_OR_RETURN(const std::size_t i, find(index));
    Dims shown = boxes[i].sizes;
    shown[0] += fault == Fault::wrong_sizes ? -1 : 0;
    const std::size_t at = fault == Fault::shared_memory ? 0 : i * 100;
    return contiguous_view(reinterpret_cast<Byte*>(from.data() + at), dtype(), shown);
  }
  Result<ConstTensorView> get_tensor_shard(const MetadataIndex& index) const {
    return view<const std::byte>(fault == Fault::copy_to_save ? copy : memory, index);
  }
  Result<TensorView> get_tensor_shard(const MetadataIndex& index) {
    return view<std::byte>(memory, index);
  }
};

struct RowsWithLayout : Rows {
  const TensorLayout& layout() const { return given; }
};

Rows make_rows(Fault fault, std::int64_t rank, std::int64_t world) {
  Rows rows;
  rows.fault = fault;
  rows.rank = rank;
  rows.sizes[0] += fault == Fault::sizes_by_rank && rank == 1 ? 1 : 0;
  const std::int64_t first = 13 * rank / world;
  std::int64_t last = 13 * (rank + 1) / world;
  last += fault == Fault::overlap && rank == 0 && world > 1 ? 1 : 0;
  last += fault == Fault::out_of_bounds && rank == world - 1 ? 1 : 0;
  last -= fault == Fault::hole && rank == world - 1 ? 1 : 0;
  const std::int64_t middle = first + (last - first) / 2;
  for (const auto& [from, to] : {std::pair(first, middle), std::pair(middle, last)}) {
    if (to > from) {
      rows.boxes.push_back({{from, 0}, {to - from, 2}});
    }
  }
  if (fault == Fault::one_corner) {
    rows.boxes.push_back({rows.boxes[0].offsets, {1, 1}});
  }
  if (fault == Fault::wrong_ndim) {
    rows.boxes.push_back({{0}, {1}});
  }
  rows.memory.resize(400);
  rows.copy.resize(400);
  return rows;
}

std::vector<BrokenRule> check(Fault fault) {
  return check_hooks([fault](std::int64_t rank, std::int64_t world) -> Result<TensorUnderTest> {
    if (fault == Fault::cannot_be_made) {
      return Error{ErrorCode::internal, "no memory today"};
    }
    auto rows = std::make_shared<RowsWithLayout>();
    static_cast<Rows&>(*rows) = make_rows(fault, rank, world);
    if (fault == Fault::lying_layout) {
      rows->given = make_tensor_layout({13, 2}, Dtype::int32, *DeviceMesh::row_major({world}),
                                       std::vector{Placement::replicate()})
                        .value();
      return TensorUnderTest(rows);
    }
    return TensorUnderTest(std::shared_ptr<Rows>(rows));
  });
}

TEST(ConformanceMutants, TheRightTypeBreaksNoRule) {
  EXPECT_EQ(to_string(check(Fault::none)), "");
}

TEST(ConformanceMutants, EachFaultIsNamedByItsRule) {
  const std::pair<Fault, const char*> expected[] = {{Fault::cannot_be_made, "make"},
                                                    {Fault::hook_fails, "hooks succeed"},
                                                    {Fault::forgets, "idempotent"},
                                                    {Fault::other_order, "same boxes"},
                                                    {Fault::other_box, "same boxes"},
                                                    {Fault::item_offset, "item fields"},
                                                    {Fault::copies_fqn, "item fields"},
                                                    {Fault::dtype_by_rank, "same tensor"},
                                                    {Fault::sizes_by_rank, "same tensor"},
                                                    {Fault::out_of_bounds, "bounds"},
                                                    {Fault::wrong_ndim, "bounds"},
                                                    {Fault::one_corner, "one box a corner"},
                                                    {Fault::hole, "cover"},
                                                    {Fault::overlap, "overlap"},
                                                    {Fault::wrong_sizes, "look-up"},
                                                    {Fault::trusts_hint, "look-up"},
                                                    {Fault::any_offset, "unknown offset"},
                                                    {Fault::wrong_code, "unknown offset"},
                                                    {Fault::guesses, "missing offset"},
                                                    {Fault::copy_to_save, "aliasing"},
                                                    {Fault::shared_memory, "aliasing"},
                                                    {Fault::lying_layout, "layout"}};
  for (const auto& [fault, rule] : expected) {
    const std::vector<BrokenRule> broken = check(fault);
    SCOPED_TRACE(to_string(broken));
    ASSERT_FALSE(broken.empty()) << rule;
    EXPECT_EQ(broken[0].rule, rule);
    EXPECT_NE(broken[0].detail.find(" of "), std::string::npos) << "names the rank and world";
  }
}

}  // namespace
}  // namespace shardmark::testing
