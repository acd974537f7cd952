// SPDX-License-Identifier: Apache-2.0
#include "shardmark/plan/local_save_plan.hpp"

#include <fmt/format.h>

namespace shardmark {
namespace {

constexpr std::uint64_t wire_version = 1;

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

/// A string of bytes, listed whole.
bool is_object(const LocalSavePlan::PlanEntry& entry, std::span<const Box> boxes) {
  if (entry.dtype != Dtype::uint8 || entry.sizes.ndim() != 1) {
    return false;
  }
  const Box whole = whole_box(entry.sizes);
  return (whole.empty() && boxes.empty()) || (boxes.size() == 1 && boxes.front() == whole);
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

Result<LocalSavePlan> make_local_save_plan(std::span<const WriteItem> items,
                                           EmptyBoxes empty_boxes) {
  LocalSavePlan plan;
  plan.boxes.reserve(items.size());
  for (const WriteItem& item : items) {
    LocalSavePlan::PlanEntry entry = entry_of(item);
    if (plan.entries.empty() || plan.entries.back().fqn != entry.fqn) {
      SHARDMARK_RETURN_IF_ERROR(check_new_entry(entry));
      entry.first_box = plan.boxes.size();
      plan.entries.push_back(entry);
    }
    LocalSavePlan::PlanEntry& known = plan.entries.back();
    if (known.kind != entry.kind || known.dtype != entry.dtype || known.sizes != entry.sizes) {
      return Error{ErrorCode::invalid_argument,
                   fmt::format("'{}': its write items disagree: {} {} and {} {}", entry.fqn,
                               dtype_name(known.dtype), to_string(known.sizes),
                               dtype_name(entry.dtype), to_string(entry.sizes))};
    }
    const Box box =
        entry.kind == EntryKind::object ? whole_box(entry.sizes) : item.tensor_data.chunk;
    SHARDMARK_RETURN_IF_ERROR(check_box(entry.fqn, box, entry.sizes));
    if (box.empty() && empty_boxes == EmptyBoxes::leave_out) {
      continue;
    }
    if (box.ndim() == 0 && known.num_boxes == 1) {
      return Error{ErrorCode::invalid_argument,
                   fmt::format("'{}': a 0-d tensor is listed twice", entry.fqn)};
    }
    plan.boxes.push_back(box);
    ++known.num_boxes;
  }
  return plan;
}

void encode(const LocalSavePlan& plan, ByteWriter& out) {
  out.varint(wire_version);
  out.varint(plan.entries.size());
  for (const auto& entry : plan.entries) {
    out.text(entry.fqn);
    out.varint(static_cast<std::uint64_t>(entry.kind));
    out.varint(static_cast<std::uint64_t>(entry.dtype));
    out.varint(entry.sizes.size());
    out.dims(entry.sizes);
    out.varint(entry.num_boxes);
    for (const Box& box : plan.boxes_of(entry)) {
      out.dims(box.offsets);
      out.dims(box.sizes);
    }
  }
}

Result<LocalSavePlan> decode_local_save_plan(std::span<const std::byte> bytes) {
  ByteReader in(bytes);
  LocalSavePlan plan;
  if (in.varint() != wire_version) {
    in.fail("unknown version");
  }
  const std::size_t num_entries = in.length(5);
  plan.entries.reserve(num_entries);
  for (std::size_t i = 0; i < num_entries && in.ok(); ++i) {
    LocalSavePlan::PlanEntry entry;
    entry.fqn = in.text();
    entry.kind = static_cast<EntryKind>(in.count(1));
    const auto dtype = dtype_from_number(in.varint());
    if (!dtype) {
      in.fail("unknown dtype");
      break;
    }
    entry.dtype = *dtype;
    const auto ndim = static_cast<int>(in.count(max_ndim));
    entry.sizes = in.dims(ndim);
    entry.first_box = plan.boxes.size();
    // A box takes at least two bytes a dimension; a 0-d one none, but there is at most one of
    // those.
    entry.num_boxes = ndim == 0 ? static_cast<std::size_t>(in.count(1))
                                : in.length(2 * static_cast<std::size_t>(ndim));
    for (std::size_t b = 0; b < entry.num_boxes; ++b) {
      Box box;
      box.offsets = in.dims(ndim);
      box.sizes = in.dims(ndim);
      if (in.ok() && !check_box(entry.fqn, box, entry.sizes)) {
        in.fail("box out of bounds");
      }
      plan.boxes.push_back(box);
    }
    if (in.ok() && !check_new_entry(entry)) {
      in.fail("tensor above 2^63 bytes");
    }
    if (in.ok() && entry.kind == EntryKind::object && !is_object(entry, plan.boxes_of(entry))) {
      in.fail("object that is no byte string");
    }
    plan.entries.push_back(entry);
  }
  if (in.ok() && !in.at_end()) {
    in.fail("bytes after the end");
  }
  SHARDMARK_RETURN_IF_ERROR(in.status("save plan"));
  return plan;
}

}  // namespace shardmark
