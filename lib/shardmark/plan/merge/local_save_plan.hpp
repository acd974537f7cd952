// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "shardmark/core/box.hpp"
#include "shardmark/plan/tables/byte_codec.hpp"
#include "shardmark/plan/tables/entry_table.hpp"
#include "shardmark/protocol/state_dict.hpp"
#include "shardmark/protocol/write_item.hpp"

namespace shardmark {

/// What one rank could write, before anything is decided: every entry that it
/// knows, with its boxes. Names view the StateDict, or the bytes that the plan
/// was decoded from.
struct LocalSavePlan {
  struct PlanEntry {
    std::string_view fqn;
    EntryKind kind = EntryKind::tensor;
    Dtype dtype = Dtype::uint8;
    Dims sizes;
    std::size_t first_box = 0;
    std::size_t num_boxes = 0;
  };
  std::vector<PlanEntry> entries;
  std::vector<Box> boxes;

  std::span<const Box> boxes_of(const PlanEntry& entry) const noexcept {
    return {boxes.data() + entry.first_box, entry.num_boxes};
  }
};

/// Local. Calls create_write_items. An object gives one byte_io item. Errors:
/// the hook's, naming the fqn.
Status append_write_items(const StateDictEntry& entry, std::vector<WriteItem>& items);
/// Local. Those of every entry; `items` is cleared and refilled, its memory
/// kept.
Status collect_write_items(const StateDict& state_dict, std::vector<WriteItem>& items);

/// Empty boxes are never written. DCP's rule for owners counts them, so a plan
/// may name them.
enum class EmptyBoxes : std::uint8_t { leave_out, keep };

/// Local. Appends the plan that the items make, as encode() would write it;
/// entries of nothing but empty boxes stay. Errors: invalid_argument if items of
/// one fqn disagree, a box leaves its tensor, or a tensor has 2^63 bytes or more.
Status encode_local_save_plan(std::span<const WriteItem> items, EmptyBoxes empty_boxes,
                              ByteWriter& out);

/// Local. Errors: invalid_argument if a tensor of this shape has 2^63 bytes or
/// more.
Status check_new_entry(const LocalSavePlan::PlanEntry& entry);
/// Local. Errors: invalid_argument if the box leaves its tensor, naming the
/// fqn.
Status check_box(std::string_view fqn, const Box& box, const Dims& sizes);

/// Reads what encode() wrote, piece by piece, from bytes that may be damaged.
class LocalPlanReader {
 public:
  explicit LocalPlanReader(std::span<const std::byte> bytes);

  /// False at the end, or after a violation. The entry's boxes come next, all
  /// of them.
  bool next_entry(LocalSavePlan::PlanEntry& entry);
  /// Passes over the next entry, up to its boxes, if it is written as `header`.
  bool skip_entry(std::span<const std::byte> header) {
    if (left_ == 0 || !in_.skip(header)) {
      return false;
    }
    --left_;
    return true;
  }
  /// How the last one of next_entry() was written.
  std::span<const std::byte> header() const noexcept {
    return bytes_.subspan(header_begin_, header_end_ - header_begin_);
  }
  /// Offsets, then sizes, of the next box of `entry`: within its tensor, or
  /// false.
  bool next_box(const LocalSavePlan::PlanEntry& entry, std::span<std::int64_t> coordinates);
  /// data_loss, or success if all was read.
  Status status();

  std::size_t num_entries() const noexcept { return num_entries_; }

 private:
  std::span<const std::byte> bytes_;
  ByteReader in_;
  std::size_t num_entries_ = 0;
  std::size_t left_ = 0;  // entries
  std::size_t header_begin_ = 0;
  std::size_t header_end_ = 0;
};

/// Local. At most 64 bytes an item for up to 4 dimensions and extents below
/// 2^32; each name once.
void encode(const LocalSavePlan& plan, ByteWriter& out);
/// Local. Views `bytes`. Errors: data_loss for anything that encode() cannot
/// have written.
Result<LocalSavePlan> decode_local_save_plan(std::span<const std::byte> bytes);

}  // namespace shardmark
