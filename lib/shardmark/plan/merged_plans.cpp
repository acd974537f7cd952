// SPDX-License-Identifier: Apache-2.0
#include "shardmark/plan/merged_plans.hpp"

#include <fmt/format.h>

namespace shardmark {
namespace {

std::string describe(EntryKind kind, Dtype dtype, const Dims& sizes) {
  return kind == EntryKind::object
             ? fmt::format("an object of {} bytes", sizes[0])
             : fmt::format("a {} tensor {}", dtype_name(dtype), to_string(sizes));
}

}  // namespace

MergedPlans::RankTotals& MergedPlans::totals_of(int rank) {
  const auto at = static_cast<std::size_t>(rank - first_rank);
  if (at >= totals.size()) {
    totals.resize(at + 1);
  }
  return totals[at];
}

std::uint32_t MergedPlans::find_or_add(int rank, const LocalSavePlan::PlanEntry& entry) {
  if (const auto found = entry_of_name.find(entry.fqn); found != entry_of_name.end()) {
    return found->second;
  }
  const auto id = static_cast<std::uint32_t>(entries.size());
  entries.push_back({std::string(entry.fqn), entry.kind, entry.dtype, entry.sizes, rank});
  entry_of_name.emplace(entries.back().fqn, id);
  return id;
}

Status MergedPlans::check_entry(std::uint32_t id, int rank,
                                const LocalSavePlan::PlanEntry& entry) const {
  const KnownEntry& known = entries[id];
  if (known.kind == entry.kind && known.dtype == entry.dtype && known.sizes == entry.sizes) {
    return {};
  }
  return Error{ErrorCode::invalid_argument,
               fmt::format("ranks disagree on '{}': rank {} has {}, rank {} has {}", entry.fqn,
                           known.first_rank, describe(known.kind, known.dtype, known.sizes), rank,
                           describe(entry.kind, entry.dtype, entry.sizes))};
}

Status MergedPlans::check_sizes(std::uint32_t entry, std::uint32_t chunk, int rank,
                                const Box& box) const {
  const Box known = chunks.box(chunk);
  if (known.sizes == box.sizes) {
    return {};
  }
  return Error{
      ErrorCode::invalid_argument,
      fmt::format("'{}': two chunks start at {}: rank {} has {}, rank {} has {}",
                  entries[entry].fqn, to_string(box.offsets), sets.ranks(holders[chunk]).front(),
                  to_string(known.sizes), rank, to_string(box.sizes))};
}

Result<std::uint32_t> MergedPlans::resolve_entry(int rank, const LocalSavePlan::PlanEntry& entry,
                                                 std::size_t position) {
  const bool as_before =
      position < previous_entries_.size() && entries[previous_entries_[position]].fqn == entry.fqn;
  const std::uint32_t id = as_before ? previous_entries_[position] : find_or_add(rank, entry);
  SHARDMARK_RETURN_IF_ERROR(check_entry(id, rank, entry));
  if (position >= previous_entries_.size()) {
    previous_entries_.resize(position + 1, id);
  }
  previous_entries_[position] = id;
  return id;
}

Status MergedPlans::resolve_box(int rank, std::uint32_t entry, const Box& box,
                                std::size_t position) {
  const bool as_before = position < previous_chunks_.size() &&
                         chunks.is_at(previous_chunks_[position], entry, box.offsets);
  const std::uint32_t chunk =
      as_before ? previous_chunks_[position] : chunks.find_or_add(entry, box);
  if (chunk == holders.size()) {
    holders.push_back(HolderSets::none);
  }
  SHARDMARK_RETURN_IF_ERROR(check_sizes(entry, chunk, rank, box));
  if (holders[chunk] != HolderSets::none && sets.last_rank(holders[chunk]) == rank) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("'{}': rank {} lists chunk {} twice", entries[entry].fqn, rank,
                             to_string(box))};
  }
  holders[chunk] = sets.with(holders[chunk], rank);
  if (position >= previous_chunks_.size()) {
    previous_chunks_.resize(position + 1, chunk);
  }
  previous_chunks_[position] = chunk;
  return {};
}

std::uint32_t MergedPlans::find_or_add_empty(std::uint32_t entry, const Box& box) {
  const std::uint32_t number = empty_boxes.find_or_add(entry, box);
  if (number == empty_holders.size()) {
    empty_holders.push_back(HolderSets::none);
    empty_seen_before.push_back(static_cast<std::uint32_t>(chunks.size()));
  }
  return number;
}

Status MergedPlans::add(int rank, std::span<const std::byte> encoded_local_plan) {
  auto plan = decode_local_save_plan(encoded_local_plan);
  if (!plan) {
    return Error{plan.error().code, fmt::format("rank {}: {}", rank, plan.error().message)};
  }
  bytes_gathered += encoded_local_plan.size();
  RankTotals& own = totals_of(rank);
  for (std::size_t position = 0; position < plan->entries.size(); ++position) {
    const auto& entry = plan->entries[position];
    SHARDMARK_ASSIGN_OR_RETURN(const std::uint32_t id, resolve_entry(rank, entry, position));
    for (std::size_t b = 0; b < entry.num_boxes; ++b) {
      const std::size_t at = entry.first_box + b;
      const Box& box = plan->boxes[at];
      if (box.empty()) {
        std::uint32_t& set = empty_holders[find_or_add_empty(id, box)];
        if (set == HolderSets::none || sets.last_rank(set) != rank) {
          set = sets.with(set, rank);
        }
        continue;
      }
      SHARDMARK_RETURN_IF_ERROR(resolve_box(rank, id, box, at));
      ++own.items;
      own.held_bytes += box.num_elements() * element_size(entry.dtype);
    }
  }
  items += own.items;
  return {};
}

}  // namespace shardmark
