// SPDX-License-Identifier: Apache-2.0
#include "shardmark/plan/owners/save_plan.hpp"

#include <algorithm>

namespace shardmark {
namespace {

/// Nothing if `write` is one that a planner can have made for this entry.
const char* problem_of(const PlannedWrite& write, const Entry& entry, bool part) {
  if (write.chunk - entry.first_chunk >= entry.num_chunks) {
    return "no such chunk";
  }
  for (int d = 0; d < entry.sizes.ndim(); ++d) {
    const std::int64_t offset = write.box.offsets[d];
    const std::int64_t size = write.box.sizes[d];
    if (size == 0 || offset > entry.sizes[d] || size > entry.sizes[d] - offset) {
      return "box empty or outside its tensor";
    }
    if (write.source[d] > offset) {
      return "source starts behind its box";
    }
  }
  return part && write.source == write.box.offsets ? "source given twice" : nullptr;
}

}  // namespace

void encode(const SavePlan& plan, const EntryTable& entries, ByteWriter& out) {
  out.varint(plan.writes.size());
  std::uint32_t entry = 0;
  for (const PlannedWrite& write : plan.writes) {
    out.varint(write.entry - entry);
    entry = write.entry;
    // The lowest bit says whether the source is another corner than the box's own.
    const bool part = write.source != write.box.offsets;
    out.varint((write.chunk - entries.entries[entry].first_chunk) << 1 | (part ? 1U : 0U));
    out.dims(write.box.offsets);
    out.dims(write.box.sizes);
    if (part) {
      out.dims(write.source);
    }
  }
}

Result<SavePlan> decode_save_plan(std::span<const std::byte> bytes, const EntryTable& entries) {
  ByteReader in(bytes);
  SavePlan plan;
  const std::size_t num_writes = in.length(2);
  plan.writes.reserve(num_writes);
  std::uint64_t entry = 0;
  for (std::size_t i = 0; i < num_writes && in.ok(); ++i) {
    PlannedWrite write;
    const std::uint64_t step = in.varint();
    if (step >= entries.entries.size() - entry) {
      in.fail("no such entry");
      break;
    }
    entry += step;
    const Entry& known = entries.entries[entry];
    const std::uint64_t ordinal = in.varint();
    write.entry = static_cast<std::uint32_t>(entry);
    write.chunk = known.first_chunk + (ordinal >> 1);
    write.box.offsets = in.dims(known.sizes.ndim());
    write.box.sizes = in.dims(known.sizes.ndim());
    write.source = (ordinal & 1U) != 0 ? in.dims(known.sizes.ndim()) : write.box.offsets;
    if (const char* problem = problem_of(write, known, (ordinal & 1U) != 0); in.ok() && problem) {
      in.fail(problem);
    }
    if (in.ok() && !plan.writes.empty() && write.chunk < plan.writes.back().chunk) {
      in.fail("chunks out of order");
    }
    plan.writes.push_back(write);
  }
  if (in.ok() && !in.at_end()) {
    in.fail("bytes after the end");
  }
  SHARDMARK_RETURN_IF_ERROR(in.status("assigned save plan"));
  return plan;
}

SavePlan GlobalSavePlan::plan_of(int rank) const {
  const auto r = static_cast<std::size_t>(rank);
  SavePlan plan;
  plan.writes.reserve(first_of_rank[r + 1] - first_of_rank[r]);
  std::size_t entry = 0;
  for (std::uint64_t i = first_of_rank[r]; i < first_of_rank[r + 1]; ++i) {
    const std::uint64_t chunk = chunks_of_rank[i];
    const auto holds = [&](std::size_t e) {
      return chunk < entries.entries[e].first_chunk + entries.entries[e].num_chunks;
    };
    if (!holds(entry)) {
      const auto next = std::upper_bound(
          entries.entries.begin(), entries.entries.end(), chunk,
          [](std::uint64_t c, const Entry& e) { return c < e.first_chunk + e.num_chunks; });
      entry = static_cast<std::size_t>(next - entries.entries.begin());
    }
    PlannedWrite write;
    write.entry = static_cast<std::uint32_t>(entry);
    write.chunk = chunk;
    write.box = chunks.box(chunk, entries.entries[entry].sizes.ndim());
    const auto cut = std::lower_bound(
        sources.begin(), sources.end(), chunk,
        [](const auto& source, std::uint64_t number) { return source.first < number; });
    write.source = cut != sources.end() && cut->first == chunk ? cut->second : write.box.offsets;
    plan.writes.push_back(write);
  }
  return plan;
}

}  // namespace shardmark
