// SPDX-License-Identifier: Apache-2.0
#include "shardmark/plan/save/make_global_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <string>

#include "shardmark/core/cover.hpp"
#include "shardmark/plan/owners/split.hpp"

namespace shardmark {
namespace {

/// The text of a defect, with the ranks that are at fault.
template <typename RanksOf>
Error cover_error(const std::string& fqn, const CoverDefect& defect, std::span<const Box> boxes,
                  const RanksOf& first_rank_of) {
  switch (defect.kind) {
    case CoverDefect::Kind::hole:
      return {ErrorCode::invalid_argument,
              fmt::format("'{}': no rank holds element {}", fqn, to_string(defect.at))};
    case CoverDefect::Kind::out_of_bounds:
      return {ErrorCode::invalid_argument,
              fmt::format("'{}': chunk {} of rank {} is out of bounds", fqn,
                          to_string(boxes[defect.box]), first_rank_of(defect.box))};
    case CoverDefect::Kind::overlap:
      break;
  }
  return {ErrorCode::invalid_argument,
          fmt::format("'{}': chunk {} of rank {} and chunk {} of rank {} overlap at element {}",
                      fqn, to_string(boxes[defect.box]), first_rank_of(defect.box),
                      to_string(boxes[defect.other_box]), first_rank_of(defect.other_box),
                      to_string(defect.at))};
}

void finish_statistics(GlobalSavePlan& plan, const DedupInput& input) {
  SavePlanStatistics& statistics = plan.statistics;
  const auto world_size = static_cast<std::size_t>(input.world_size);
  statistics.rank_bytes.assign(world_size, 0);
  plan.first_of_rank.assign(world_size + 1, 0);
  for (std::size_t chunk = 0; chunk < plan.owners.size(); ++chunk) {
    const auto owner = static_cast<std::size_t>(plan.owners[chunk]);
    const std::int64_t bytes = input.chunk_bytes[chunk];
    const auto replicas =
        static_cast<std::int64_t>(input.holder_sets[input.chunk_set[chunk]].size());
    statistics.rank_bytes[owner] += bytes;
    statistics.num_bytes += bytes;
    statistics.deduplicated_bytes += bytes * (replicas - 1);
    ++plan.first_of_rank[owner + 1];
  }
  std::partial_sum(plan.first_of_rank.begin(), plan.first_of_rank.end(),
                   plan.first_of_rank.begin());
  plan.chunks_of_rank.resize(plan.owners.size());
  std::vector<std::uint64_t> next(plan.first_of_rank.begin(), plan.first_of_rank.end() - 1);
  for (std::size_t chunk = 0; chunk < plan.owners.size(); ++chunk) {
    plan.chunks_of_rank[next[static_cast<std::size_t>(plan.owners[chunk])]++] = chunk;
  }
}

/// What DCP counts an item as: the whole tensor for every shard, 1 where that is nothing.
std::int64_t accounted_bytes(const MergedPlans::KnownEntry& entry) {
  const std::int64_t bytes = volume(entry.sizes) * element_size(entry.dtype);
  return entry.kind == EntryKind::object || bytes == 0 ? 1 : bytes;
}

/// The global plan in the making: chunks are appended in their final order.
class Assembly {
 public:
  Assembly(const MergedPlans& merged, int world_size, DedupPolicy policy, Cover cover)
      : sets_(merged.sets), policy_(policy), cover_(cover) {
    SavePlanStatistics& statistics = plan_.statistics;
    statistics.items = merged.items;
    statistics.bytes_gathered = merged.bytes_gathered;
    statistics.rank_items.resize(static_cast<std::size_t>(world_size));
    statistics.rank_held_bytes.resize(static_cast<std::size_t>(world_size));
    for (std::size_t rank = 0; rank < merged.totals.size(); ++rank) {
      statistics.rank_items[rank] = merged.totals[rank].items;
      statistics.rank_held_bytes[rank] = merged.totals[rank].held_bytes;
    }
    input_.world_size = world_size;
    input_.chunk_bytes.reserve(merged.num_chunks);
    input_.chunk_set.reserve(merged.num_chunks);
    std::size_t num_coordinates = 0;
    for (const auto& entry : merged.entries) {
      num_coordinates += entry.chunks.boxes.all_coordinates().size();
    }
    plan_.chunks.reserve(num_coordinates);
    plan_.entries.entries.reserve(merged.entries.size());
  }

  Status add_entry(const MergedPlans::KnownEntry& known) {
    const MergedPlans::HeldChunks& held = known.chunks;
    order_ = held.boxes.order_of_offsets();
    std::span<const std::int64_t> coordinates = held.boxes.all_coordinates();
    if (!order_.empty()) {
      sorted_.clear();
      for (const std::uint32_t number : order_) {
        const auto box = held.boxes.coordinates(number);
        sorted_.insert(sorted_.end(), box.begin(), box.end());
      }
      coordinates = sorted_;
    }
    if (cover_ == Cover::whole && !is_grid_of(known.sizes, held.boxes.size(), coordinates)) {
      SHARDMARK_RETURN_IF_ERROR(check_cover(known));
    }
    const std::uint64_t first_chunk = plan_.chunks.size();
    if (policy_ == DedupPolicy::split) {
      append_pieces(known);
    } else {
      plan_.chunks.append(known.sizes.ndim(), held.boxes.size(), coordinates);
      append_all(known, coordinates, first_chunk);
    }
    plan_.entries.entries.push_back({known.fqn, known.kind, known.dtype, known.sizes, first_chunk,
                                     plan_.chunks.size() - first_chunk});
    return {};
  }

  GlobalSavePlan finish() {
    plan_.owners = assign_owners(input_, policy_);
    finish_statistics(plan_, input_);
    return std::move(plan_);
  }

 private:
  /// The number of the box at a place in the order of offsets.
  std::uint32_t number_at(std::uint32_t place) const {
    return order_.empty() ? place : order_[place];
  }

  std::uint32_t set_of(std::uint32_t holders) {
    if (holders >= set_of_node_.size()) {
      set_of_node_.resize(holders + std::size_t{1}, 0);
    }
    std::uint32_t& set = set_of_node_[holders];
    if (set == 0) {
      input_.holder_sets.push_back(sets_.ranks(holders));
      set = static_cast<std::uint32_t>(input_.holder_sets.size());
    }
    return set - 1;
  }

  Status check_cover(const MergedPlans::KnownEntry& known) const {
    std::vector<Box> boxes;
    for (std::uint32_t place = 0; place < known.chunks.boxes.size(); ++place) {
      boxes.push_back(known.chunks.boxes.box(number_at(place)));
    }
    const auto defect = find_cover_defect(known.sizes, boxes);
    return !defect ? Status() : cover_error(known.fqn, *defect, boxes, [&](std::size_t box) {
      const std::uint32_t number = number_at(static_cast<std::uint32_t>(box));
      return sets_.ranks(known.chunks.holders[number]).front();
    });
  }

  void append_all(const MergedPlans::KnownEntry& known, std::span<const std::int64_t> coordinates,
                  std::uint64_t first_chunk) {
    const std::int64_t itemsize = element_size(known.dtype);
    const std::size_t ndim = known.sizes.size();
    for (std::uint32_t place = 0; place < known.chunks.boxes.size(); ++place) {
      const auto sizes = coordinates.subspan(2 * ndim * place + ndim, ndim);
      input_.chunk_bytes.push_back(
          std::accumulate(sizes.begin(), sizes.end(), itemsize, std::multiplies<>()));
      input_.chunk_set.push_back(set_of(known.chunks.holders[number_at(place)]));
    }
    if (policy_ == DedupPolicy::dcp) {
      for (std::uint32_t place = 0; place < known.chunks.boxes.size(); ++place) {
        see(known, known.chunks, number_at(place), static_cast<std::uint32_t>(first_chunk + place));
      }
      for (std::uint32_t number = 0; number < known.empty.boxes.size(); ++number) {
        see(known, known.empty, number, SeenItem::no_chunk);
      }
    }
  }

  void see(const MergedPlans::KnownEntry& known, const MergedPlans::HeldChunks& held,
           std::uint32_t number, std::uint32_t chunk) {
    const std::uint32_t arrival = held.arrival[number];
    if (arrival >= input_.seen.size()) {
      input_.seen.resize(arrival + std::size_t{1});
    }
    input_.seen[arrival] = {chunk, set_of(held.holders[number]), accounted_bytes(known)};
  }

  /// Replicated chunks cut over their holders, in order of the pieces' offsets.
  void append_pieces(const MergedPlans::KnownEntry& known) {
    struct Piece {
      Box box;
      Dims source;
      std::uint32_t set;
    };
    const std::int64_t itemsize = element_size(known.dtype);
    std::vector<Piece> pieces;
    for (std::uint32_t place = 0; place < known.chunks.boxes.size(); ++place) {
      const std::uint32_t set = set_of(known.chunks.holders[number_at(place)]);
      const auto num_holders = static_cast<std::int64_t>(input_.holder_sets[set].size());
      const Box whole = known.chunks.boxes.box(number_at(place));
      for (const Box& box : cut_over_holders(whole, itemsize, num_holders)) {
        pieces.push_back({box, whole.offsets, set});
      }
    }
    std::ranges::sort(pieces, {}, [](const Piece& piece) { return piece.box.offsets; });
    for (const Piece& piece : pieces) {
      if (piece.source != piece.box.offsets) {
        plan_.sources.emplace_back(plan_.chunks.size(), piece.source);
      }
      plan_.chunks.append(piece.box);
      input_.chunk_bytes.push_back(piece.box.num_elements() * itemsize);
      input_.chunk_set.push_back(piece.set);
    }
  }

  const HolderSets& sets_;
  DedupPolicy policy_;
  Cover cover_;
  GlobalSavePlan plan_;
  DedupInput input_;
  std::vector<std::uint32_t> set_of_node_;  // place in holder_sets + 1, 0 for none yet
  // Of the entry in hand: numbers by offsets, or empty if that is their own order.
  std::vector<std::uint32_t> order_;
  std::vector<std::int64_t> sorted_;
};

}  // namespace

Result<GlobalSavePlan> make_global_plan(MergedPlans merged, int world_size, DedupPolicy policy,
                                        Cover cover) {
  SHARDMARK_ASSERT(policy != DedupPolicy::dcp || merged.ordered, "dcp needs the order of arrival");
  std::vector<std::uint32_t> by_name(merged.entries.size());
  std::iota(by_name.begin(), by_name.end(), 0U);
  std::sort(by_name.begin(), by_name.end(), [&](std::uint32_t a, std::uint32_t b) {
    return merged.entries[a].fqn < merged.entries[b].fqn;
  });
  Assembly assembly(merged, world_size, policy, cover);
  for (const std::uint32_t id : by_name) {
    MergedPlans::KnownEntry& entry = merged.entries[id];
    SHARDMARK_RETURN_IF_ERROR(assembly.add_entry(entry));
    entry.chunks = MergedPlans::HeldChunks{EntryChunks(0), {}, {}};
  }
  return assembly.finish();
}

}  // namespace shardmark
