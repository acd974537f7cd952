// SPDX-License-Identifier: Apache-2.0
#include "shardmark/plan/load/load_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "shardmark/core/cover.hpp"
#include "shardmark/plan/tables/overlap_search.hpp"

namespace shardmark {
namespace {

Dims minus(const Dims& a, const Dims& b) {
  Dims difference = a;
  for (int d = 0; d < a.ndim(); ++d) {
    difference[d] -= b[d];
  }
  return difference;
}

Dims plus(const Dims& a, const Dims& b) {
  Dims sum = a;
  for (int d = 0; d < a.ndim(); ++d) {
    sum[d] += b[d];
  }
  return sum;
}

Error differs(const std::string& fqn, const std::string& saved, const std::string& wanted) {
  return {ErrorCode::mismatch,
          fmt::format("'{}': the checkpoint has {}, the program wants {}", fqn, saved, wanted)};
}

std::string describe(const Entry& entry) {
  return entry.kind == EntryKind::object
             ? fmt::format("an object of {} bytes", entry.sizes[0])
             : fmt::format("a {} tensor {}", dtype_name(entry.dtype), to_string(entry.sizes));
}

/// Shape and dtype that the program wants, where the hooks tell: the layout, else the write items.
Status check_tensor(const WantedEntry& wanted, const Entry& saved) {
  const std::string& fqn = wanted.entry->fqn;
  if (saved.kind != EntryKind::tensor) {
    return differs(fqn, describe(saved), "a tensor");
  }
  const auto check = [&](Dtype dtype, const Dims& sizes) -> Status {
    if (dtype != saved.dtype || sizes != saved.sizes) {
      return differs(fqn, describe(saved),
                     fmt::format("a {} tensor {}", dtype_name(dtype), to_string(sizes)));
    }
    return {};
  };
  // The hooks that a load needs tell boxes alone: dtype and global shape are known from the layout,
  // or from what the type would write.
  if (const TensorLayout* layout = wanted.entry->tensor->layout()) {
    return check(layout->dtype, layout->global_sizes);
  }
  SHARDMARK_ASSIGN_OR_RETURN(const auto items, wanted.entry->tensor->create_write_items(fqn));
  return items.empty() ? Status()
                       : check(items[0].tensor_data.properties.dtype, items[0].tensor_data.size);
}

/// Bytes of an element, where the checkpoint cannot tell.
Result<std::int64_t> itemsize_of(const WantedEntry& wanted) {
  if (wanted.entry->tensor == nullptr) {
    return std::int64_t{1};
  }
  if (const TensorLayout* layout = wanted.entry->tensor->layout()) {
    return element_size(layout->dtype);
  }
  SHARDMARK_ASSIGN_OR_RETURN(const auto items,
                             wanted.entry->tensor->create_write_items(wanted.entry->fqn));
  return items.empty() ? 0 : element_size(items[0].tensor_data.properties.dtype);
}

void add_absent(const WantedEntry& wanted, std::int64_t elements, std::int64_t itemsize,
                LoadPlan& plan) {
  if (elements > 0) {
    plan.absent.push_back(wanted.entry->fqn);
    plan.absent_bytes += elements * itemsize;
  }
}

Status add_reads(const WantedEntry& wanted, std::size_t entry_index, const Entry& saved,
                 const ChunkTable& chunks, MissingEntries missing, LoadPlan& plan) {
  const OverlapSearch search(chunks, saved);
  std::int64_t absent = 0;
  std::vector<Box> parts;  // of a wanted box, counted from its corner
  for (const Box& box : wanted.boxes) {
    if (box.ndim() != saved.sizes.ndim() || !contains(whole_box(saved.sizes), box)) {
      return Error{ErrorCode::mismatch,
                   fmt::format("'{}': local box {} is out of bounds of {}", wanted.entry->fqn,
                               to_string(box), to_string(saved.sizes))};
    }
    if (box.empty()) {
      continue;
    }
    parts.clear();
    search.for_each_overlap(box, [&](std::uint64_t chunk, const Box& stored, const Box& common) {
      parts.push_back({minus(common.offsets, box.offsets), common.sizes});
      plan.reads.push_back(
          {static_cast<std::uint32_t>(entry_index), chunk, box.offsets, common, common == stored});
    });
    if (missing == MissingEntries::of_others) {
      std::int64_t there = 0;
      for (const Box& part : parts) {
        there += part.num_elements();
      }
      absent += box.num_elements() - there;
      plan.num_bytes += there * element_size(saved.dtype);
      continue;
    }
    // Before any byte is read: a hole would leave poison, an overlap two versions of an element.
    if (const auto defect = find_cover_defect(box.sizes, parts)) {
      return Error{ErrorCode::data_loss,
                   fmt::format("'{}': the checkpoint holds element {} {}", wanted.entry->fqn,
                               to_string(plus(box.offsets, defect->at)),
                               defect->kind == CoverDefect::Kind::hole ? "nowhere" : "twice")};
    }
    plan.num_bytes += box.num_elements() * element_size(saved.dtype);
  }
  add_absent(wanted, absent, element_size(saved.dtype), plan);
  return {};
}

}  // namespace

Result<std::vector<WantedEntry>> collect_wanted(const StateDict& state_dict) {
  std::vector<WantedEntry> wanted;
  wanted.reserve(state_dict.size());
  for (const StateDictEntry& entry : state_dict.entries()) {
    if (entry.tensor == nullptr) {
      wanted.push_back({&entry, {whole_box(Dims{static_cast<std::int64_t>(entry.object.size())})}});
      continue;
    }
    auto boxes = entry.tensor->create_chunk_list();
    if (!boxes) {
      return Error{boxes.error().code, fmt::format("'{}': {}", entry.fqn, boxes.error().message)};
    }
    wanted.push_back({&entry, std::move(*boxes)});
  }
  return wanted;
}

Result<LoadPlan> make_load_plan(std::span<const WantedEntry> wanted, const EntryTable& entries,
                                const ChunkTable& chunks, MissingEntries missing) {
  LoadPlan plan;
  std::vector<std::pair<std::uint32_t, const WantedEntry*>> found_entries;
  found_entries.reserve(wanted.size());
  std::size_t num_boxes = 0;
  for (const WantedEntry& want : wanted) {
    const auto found = entries.find(want.entry->fqn);
    if (!found && missing == MissingEntries::of_others) {
      std::int64_t elements = 0;
      for (const Box& box : want.boxes) {
        elements += box.num_elements();
      }
      SHARDMARK_ASSIGN_OR_RETURN(const std::int64_t itemsize, itemsize_of(want));
      add_absent(want, elements, itemsize, plan);
      continue;
    }
    if (!found && missing == MissingEntries::leave_alone) {
      plan.missing.push_back(want.entry->fqn);
      continue;
    }
    if (!found) {
      return Error{ErrorCode::not_found,
                   fmt::format("'{}' is not in the checkpoint", want.entry->fqn)};
    }
    plan.wanted_entries.push_back(static_cast<std::uint32_t>(*found));
    const Entry& saved = entries.entries[*found];
    if (want.entry->tensor != nullptr) {
      SHARDMARK_RETURN_IF_ERROR(check_tensor(want, saved));
    } else if (saved.kind != EntryKind::object || saved.sizes != want.boxes.front().sizes) {
      return differs(want.entry->fqn, describe(saved),
                     fmt::format("an object of {} bytes", want.entry->object.size()));
    }
    found_entries.emplace_back(static_cast<std::uint32_t>(*found), &want);
    num_boxes += want.boxes.size();
  }
  // In the order of the files; within a tensor as the program holds its boxes. Sorted before there
  // are reads: one has 200 bytes and more.
  std::stable_sort(found_entries.begin(), found_entries.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  plan.reads.reserve(num_boxes);
  for (const auto& [entry, want] : found_entries) {
    SHARDMARK_RETURN_IF_ERROR(
        add_reads(*want, entry, entries.entries[entry], chunks, missing, plan));
  }
  return plan;
}

std::vector<ReadItem> create_read_items(std::string_view fqn, std::span<const Box> saved_chunks,
                                        std::span<const Box> wanted_boxes) {
  std::vector<ReadItem> items;
  for (std::size_t w = 0; w < wanted_boxes.size(); ++w) {
    const Box& wanted = wanted_boxes[w];
    for (std::size_t c = 0; c < saved_chunks.size(); ++c) {
      const Box& saved = saved_chunks[c];
      Box common = wanted;
      bool meet = true;
      for (int d = 0; d < wanted.ndim() && meet; ++d) {
        meet = wanted.offsets[d] < saved.offsets[d] + saved.sizes[d] &&
               saved.offsets[d] < wanted.offsets[d] + wanted.sizes[d];
        common.offsets[d] = std::max(wanted.offsets[d], saved.offsets[d]);
        common.sizes[d] =
            std::min(wanted.offsets[d] + wanted.sizes[d], saved.offsets[d] + saved.sizes[d]) -
            common.offsets[d];
      }
      if (meet) {
        items.push_back({LoadItemType::tensor,
                         {fqn, wanted.offsets, static_cast<std::int64_t>(w)},
                         minus(common.offsets, wanted.offsets),
                         {fqn, saved.offsets, static_cast<std::int64_t>(c)},
                         minus(common.offsets, saved.offsets),
                         common.sizes});
      }
    }
  }
  return items;
}

}  // namespace shardmark
