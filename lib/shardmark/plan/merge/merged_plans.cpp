// SPDX-License-Identifier: Apache-2.0
#include "shardmark/plan/merge/merged_plans.hpp"

#include <fmt/format.h>

#include <array>

namespace shardmark {
namespace {

std::string describe(EntryKind kind, Dtype dtype, const Dims& sizes) {
  return kind == EntryKind::object
             ? fmt::format("an object of {} bytes", sizes[0])
             : fmt::format("a {} tensor {}", dtype_name(dtype), to_string(sizes));
}

std::string text_of(std::span<const std::int64_t> values) {
  return to_string(*Dims::from(values));
}

/// Of a box of as many dimensions as half the coordinates; 0 if it is empty.
std::int64_t volume_of(std::span<const std::int64_t> coordinates) {
  std::int64_t product = 1;
  for (std::size_t d = coordinates.size() / 2; d < coordinates.size(); ++d) {
    product *= coordinates[d];
  }
  return product;
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
  const EntryChunks none(entry.sizes.ndim());
  entries.push_back({std::string(entry.fqn),
                     entry.kind,
                     entry.dtype,
                     entry.sizes,
                     rank,
                     {none, {}, {}},
                     {none, {}, {}}});
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

Result<bool> MergedPlans::next_entry(int rank, std::size_t position, LocalPlanReader& in) {
  // Ranks mostly list the same entries in the same order: where the bytes of a header are those of
  // the rank before, nothing of it is decoded, looked up or checked again.
  const std::size_t begin = position == 0 ? 0 : previous_[position - 1].header_end;
  if (position < previous_.size() &&
      in.skip_entry(std::span(headers_).subspan(begin, previous_[position].header_end - begin))) {
    return true;
  }
  Listed listed;
  if (!in.next_entry(listed.entry)) {
    return false;
  }
  listed.id = find_or_add(rank, listed.entry);
  SHARDMARK_RETURN_IF_ERROR(check_entry(listed.id, rank, listed.entry));
  previous_.resize(position);
  headers_.resize(begin);
  headers_.insert(headers_.end(), in.header().begin(), in.header().end());
  listed.header_end = headers_.size();
  listed.entry.fqn = entries[listed.id].fqn;
  previous_.push_back(listed);
  return true;
}

std::uint32_t MergedPlans::find_or_add(HeldChunks& known, const std::int64_t* coordinates) {
  const std::uint32_t number = known.boxes.find_or_add(coordinates);
  if (number == known.holders.size()) {
    known.holders.push_back(HolderSets::none);
    if (ordered) {
      known.arrival.push_back(next_arrival_++);
    }
  }
  return number;
}

Error MergedPlans::sizes_differ(const KnownEntry& entry, std::uint32_t chunk, int rank,
                                std::span<const std::int64_t> coordinates) const {
  const std::size_t ndim = coordinates.size() / 2;
  return {
      ErrorCode::invalid_argument,
      fmt::format("'{}': two chunks start at {}: rank {} has {}, rank {} has {}", entry.fqn,
                  text_of(coordinates.first(ndim)), sets.ranks(entry.chunks.holders[chunk]).front(),
                  text_of(entry.chunks.boxes.coordinates(chunk).last(ndim)), rank,
                  text_of(coordinates.last(ndim)))};
}

Status MergedPlans::add_box(int rank, KnownEntry& entry,
                            std::span<const std::int64_t> coordinates) {
  const std::uint32_t chunk = find_or_add(entry.chunks, coordinates.data());
  std::uint32_t& holders = entry.chunks.holders[chunk];
  if (holders == HolderSets::none) {
    ++num_chunks;
  } else {
    // Chunks are found by their corner: the same corner with other sizes is what DCP would lose.
    const auto known = entry.chunks.boxes.coordinates(chunk);
    if (!std::equal(known.begin(), known.end(), coordinates.begin())) {
      return sizes_differ(entry, chunk, rank, coordinates);
    }
    if (sets.last_rank(holders) == rank) {
      return Error{ErrorCode::invalid_argument,
                   fmt::format("'{}': rank {} lists chunk {} twice", entry.fqn, rank,
                               to_string(entry.chunks.boxes.box(chunk)))};
    }
  }
  holders = sets.with(holders, rank);
  return {};
}

Status MergedPlans::add(int rank, std::span<const std::byte> encoded_local_plan) {
  LocalPlanReader in(encoded_local_plan);
  RankTotals& own = totals_of(rank);
  std::array<std::int64_t, 2 * max_ndim> storage{};
  for (std::size_t position = 0;; ++position) {
    SHARDMARK_ASSIGN_OR_RETURN(const bool there, next_entry(rank, position, in));
    if (!there) {
      break;
    }
    const LocalSavePlan::PlanEntry& listed = previous_[position].entry;
    KnownEntry& entry = entries[previous_[position].id];
    const std::span coordinates(storage.data(), 2 * listed.sizes.size());
    for (std::size_t b = 0; b < listed.num_boxes && in.next_box(listed, coordinates); ++b) {
      const std::int64_t elements = volume_of(coordinates);
      if (elements > 0) {
        SHARDMARK_RETURN_IF_ERROR(add_box(rank, entry, coordinates));
        ++own.items;
        own.held_bytes += elements * element_size(entry.dtype);
        // DCP counts empty boxes in its own order of chunks, so its rule must see them too.
      } else if (ordered) {
        std::uint32_t& set = entry.empty.holders[find_or_add(entry.empty, coordinates.data())];
        set = set != HolderSets::none && sets.last_rank(set) == rank ? set : sets.with(set, rank);
      }
    }
  }
  if (const Status read = in.status(); !read) {
    return Error{read.error().code, fmt::format("rank {}: {}", rank, read.error().message)};
  }
  bytes_gathered += encoded_local_plan.size();
  items += own.items;
  return {};
}

}  // namespace shardmark
