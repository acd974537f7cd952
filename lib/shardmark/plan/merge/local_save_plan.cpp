// SPDX-License-Identifier: Apache-2.0
#include "shardmark/plan/merge/local_save_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace shardmark {
namespace {

constexpr std::uint64_t local_plan_version = 1;

LocalSavePlan::PlanEntry entry_of(const WriteItem& item) {
  if (item.type == WriteItemType::byte_io) {
    return {item.index.fqn, EntryKind::object, Dtype::uint8, Dims{item.byte_io_size}, 0, 0};
  }
  return {item.index.fqn,
          EntryKind::tensor,
          item.tensor_data.properties.dtype,
          item.tensor_data.size,
          0,
          0};
}

/// Items of one entry follow each other. Views of the same name mostly share their memory.
std::size_t length_of_entry(std::span<const WriteItem> items) {
  const std::string_view fqn = items.front().index.fqn;
  std::size_t length = 1;
  while (length < items.size() &&
         (items[length].index.fqn.data() == fqn.data() || items[length].index.fqn == fqn)) {
    ++length;
  }
  return length;
}

std::size_t count_entries(std::span<const WriteItem> items) {
  std::size_t count = 0;
  for (; !items.empty(); ++count) {
    items = items.subspan(length_of_entry(items));
  }
  return count;
}

bool is_listed(const WriteItem& item, EmptyBoxes empty_boxes) {
  return empty_boxes == EmptyBoxes::keep || num_bytes(item) > 0;
}

Status check_item(const LocalSavePlan::PlanEntry& known, const WriteItem& item) {
  const LocalSavePlan::PlanEntry entry = entry_of(item);
  if (known.kind != entry.kind || known.dtype != entry.dtype || known.sizes != entry.sizes) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("'{}': its write items disagree: {} {} and {} {}", entry.fqn,
                             dtype_name(known.dtype), to_string(known.sizes),
                             dtype_name(entry.dtype), to_string(entry.sizes))};
  }
  return entry.kind == EntryKind::object
             ? Status()
             : check_box(entry.fqn, item.tensor_data.chunk, entry.sizes);
}

void encode_header(const LocalSavePlan::PlanEntry& entry, ByteWriter& out) {
  encode_entry_head(entry, out);
  out.varint(entry.num_boxes);
}

void encode_box(const Box& box, ByteWriter& out) {
  out.dims(box.offsets);
  out.dims(box.sizes);
}

/// A string of bytes, listed whole.
bool is_object(const LocalSavePlan::PlanEntry& entry) {
  return entry.dtype == Dtype::uint8 && entry.sizes.ndim() == 1 &&
         (entry.num_boxes == 1 || (entry.num_boxes == 0 && entry.sizes[0] == 0));
}

}  // namespace

Status check_box(std::string_view fqn, const Box& box, const Dims& sizes) {
  if (box.offsets.ndim() != sizes.ndim() || box.sizes.ndim() != sizes.ndim()) {
    return Error{ErrorCode::invalid_argument, fmt::format("'{}': chunk {} of a tensor {}", fqn,
                                                          to_string(box), to_string(sizes))};
  }
  for (int d = 0; d < sizes.ndim(); ++d) {
    if (box.offsets[d] < 0 || box.sizes[d] < 0 || box.offsets[d] > sizes[d] ||
        box.sizes[d] > sizes[d] - box.offsets[d]) {
      return Error{ErrorCode::invalid_argument, fmt::format("'{}': chunk {} is out of bounds of {}",
                                                            fqn, to_string(box), to_string(sizes))};
    }
  }
  return {};
}

Status check_new_entry(const LocalSavePlan::PlanEntry& entry) {
  const auto elements = checked_volume(entry.sizes);
  if (!elements || *elements > INT64_MAX / element_size(entry.dtype)) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("'{}': shape {} is negative or has 2^63 bytes or more", entry.fqn,
                             to_string(entry.sizes))};
  }
  return {};
}

Status append_write_items(const StateDictEntry& entry, std::vector<WriteItem>& items) {
  if (entry.tensor == nullptr) {
    WriteItem item;
    item.index.fqn = entry.fqn;
    item.type = WriteItemType::byte_io;
    item.byte_io_size = static_cast<std::int64_t>(entry.object.size());
    items.push_back(item);
    return {};
  }
  auto made = entry.tensor->create_write_items(entry.fqn);
  if (!made) {
    return Error{made.error().code, fmt::format("'{}': {}", entry.fqn, made.error().message)};
  }
  items.insert(items.end(), made->begin(), made->end());
  return {};
}

Status collect_write_items(const StateDict& state_dict, std::vector<WriteItem>& items) {
  items.clear();
  for (const StateDictEntry& entry : state_dict.entries()) {
    SHARDMARK_RETURN_IF_ERROR(append_write_items(entry, items));
  }
  return {};
}

Status encode_local_save_plan(std::span<const WriteItem> items, EmptyBoxes empty_boxes,
                              ByteWriter& out) {
  out.varint(local_plan_version);
  out.varint(count_entries(items));
  while (!items.empty()) {
    LocalSavePlan::PlanEntry entry = entry_of(items.front());
    SHARDMARK_RETURN_IF_ERROR(check_new_entry(entry));
    const std::span<const WriteItem> own = items.first(length_of_entry(items));
    items = items.subspan(own.size());
    for (const WriteItem& item : own) {
      SHARDMARK_RETURN_IF_ERROR(check_item(entry, item));
      entry.num_boxes += is_listed(item, empty_boxes) ? 1U : 0U;
    }
    if (entry.sizes.ndim() == 0 && entry.num_boxes > 1) {
      return Error{ErrorCode::invalid_argument,
                   fmt::format("'{}': a 0-d tensor is listed twice", entry.fqn)};
    }
    encode_header(entry, out);
    for (const WriteItem& item : own) {
      if (is_listed(item, empty_boxes)) {
        encode_box(
            item.type == WriteItemType::byte_io ? whole_box(entry.sizes) : item.tensor_data.chunk,
            out);
      }
    }
  }
  return {};
}

void encode(const LocalSavePlan& plan, ByteWriter& out) {
  out.varint(local_plan_version);
  out.varint(plan.entries.size());
  for (const auto& entry : plan.entries) {
    encode_header(entry, out);
    for (const Box& box : plan.boxes_of(entry)) {
      encode_box(box, out);
    }
  }
}

LocalPlanReader::LocalPlanReader(std::span<const std::byte> bytes) : bytes_(bytes), in_(bytes) {
  if (in_.varint() != local_plan_version) {
    in_.fail("unknown version");
  }
  num_entries_ = in_.length(5);
  left_ = num_entries_;
}

bool LocalPlanReader::next_entry(LocalSavePlan::PlanEntry& entry) {
  if (left_ == 0 || !in_.ok()) {
    return false;
  }
  --left_;
  header_begin_ = in_.position();
  entry.fqn = in_.text();
  entry.kind = static_cast<EntryKind>(in_.count(1));
  const auto dtype = dtype_from_number(in_.varint());
  const auto ndim = static_cast<int>(in_.count(max_ndim));
  entry.dtype = dtype.value_or(Dtype::uint8);
  entry.sizes = in_.dims(ndim);
  // A box takes at least two bytes a dimension; a 0-d one none, but there is at
  // most one of those.
  entry.num_boxes = ndim == 0 ? static_cast<std::size_t>(in_.count(1))
                              : in_.length(2 * static_cast<std::size_t>(ndim));
  if (!dtype) {
    in_.fail("unknown dtype");
  }
  if (in_.ok() && !check_new_entry(entry)) {
    in_.fail("tensor above 2^63 bytes");
  }
  // Objects travel as tensors of bytes; whoever merges relies on their being one piece.
  if (in_.ok() && entry.kind == EntryKind::object && !is_object(entry)) {
    in_.fail("object that is no byte string");
  }
  header_end_ = in_.position();
  return in_.ok();
}

bool LocalPlanReader::next_box(const LocalSavePlan::PlanEntry& entry,
                               std::span<std::int64_t> coordinates) {
  // Straight into the caller's memory: the innermost loop of every merge.
  in_.counts(coordinates);
  const std::size_t ndim = entry.sizes.size();
  const std::int64_t* extents = entry.sizes.data();
  for (std::size_t d = 0; d < ndim; ++d) {
    const std::int64_t offset = coordinates[d];
    const std::int64_t size = coordinates[ndim + d];
    if (offset > extents[d] || size > extents[d] - offset ||
        (entry.kind == EntryKind::object && size != extents[d])) {
      in_.fail("box out of bounds");
    }
  }
  return in_.ok();
}

Status LocalPlanReader::status() {
  if (in_.ok() && !in_.at_end()) {
    in_.fail("bytes after the end");
  }
  return in_.status("save plan");
}

Result<LocalSavePlan> decode_local_save_plan(std::span<const std::byte> bytes) {
  LocalPlanReader in(bytes);
  LocalSavePlan plan;
  plan.entries.reserve(in.num_entries());
  LocalSavePlan::PlanEntry entry;
  std::array<std::int64_t, 2 * max_ndim> storage{};
  while (in.next_entry(entry)) {
    const std::size_t ndim = entry.sizes.size();
    const std::span coordinates(storage.data(), 2 * ndim);
    entry.first_box = plan.boxes.size();
    for (std::size_t b = 0; b < entry.num_boxes && in.next_box(entry, coordinates); ++b) {
      Box box = whole_box(entry.sizes);
      std::copy_n(coordinates.data(), ndim, box.offsets.begin());
      std::copy_n(coordinates.data() + ndim, ndim, box.sizes.begin());
      plan.boxes.push_back(box);
    }
    plan.entries.push_back(entry);
  }
  SHARDMARK_RETURN_IF_ERROR(in.status());
  return plan;
}

}  // namespace shardmark
