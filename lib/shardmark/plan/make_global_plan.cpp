// SPDX-License-Identifier: Apache-2.0
#include "shardmark/plan/make_global_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <unordered_map>

#include "shardmark/core/cover.hpp"
#include "shardmark/plan/split.hpp"

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
  Assembly(const MergedPlans& merged, int world_size, DedupPolicy policy)
      : s_(merged), policy_(policy) {
    SavePlanStatistics& statistics = plan_.statistics;
    statistics.items = s_.items;
    statistics.bytes_gathered = s_.bytes_gathered;
    statistics.rank_items.resize(static_cast<std::size_t>(world_size));
    statistics.rank_held_bytes.resize(static_cast<std::size_t>(world_size));
    for (std::size_t rank = 0; rank < s_.totals.size(); ++rank) {
      statistics.rank_items[rank] = s_.totals[rank].items;
      statistics.rank_held_bytes[rank] = s_.totals[rank].held_bytes;
    }
    input_.world_size = world_size;
    input_.chunk_bytes.reserve(s_.chunks.size());
    input_.chunk_set.reserve(s_.chunks.size());
    plan_.chunks.reserve(s_.chunks.size(), s_.chunks.num_coordinates());
    if (policy_ == DedupPolicy::dcp) {
      place_.resize(s_.chunks.size());
    }
  }

  /// `chunks`: their numbers in order of arrival.
  Status add_entry(const MergedPlans::KnownEntry& known, std::vector<std::uint32_t>& chunks) {
    s_.chunks.sort_by_offsets(chunks);
    boxes_.clear();
    for (const std::uint32_t chunk : chunks) {
      boxes_.push_back(s_.chunks.box(chunk));
    }
    if (const auto defect = find_cover_defect(known.sizes, boxes_)) {
      return cover_error(known.fqn, *defect, boxes_, [&](std::size_t box) {
        return s_.sets.ranks(s_.holders[chunks[box]]).front();
      });
    }
    const std::uint64_t first_chunk = plan_.chunks.size();
    const std::int64_t itemsize = element_size(known.dtype);
    if (policy_ == DedupPolicy::split) {
      append_pieces(chunks, itemsize);
    } else {
      for (std::size_t i = 0; i < chunks.size(); ++i) {
        if (!place_.empty()) {
          place_[chunks[i]] = static_cast<std::uint32_t>(plan_.chunks.size());
        }
        append(boxes_[i], set_of(s_.holders[chunks[i]]), itemsize);
      }
    }
    plan_.entries.entries.push_back({known.fqn, known.kind, known.dtype, known.sizes, first_chunk,
                                     plan_.chunks.size() - first_chunk});
    return {};
  }

  GlobalSavePlan finish() {
    if (policy_ == DedupPolicy::dcp) {
      list_as_seen();
    }
    plan_.owners = assign_owners(input_, policy_);
    finish_statistics(plan_, input_);
    return std::move(plan_);
  }

 private:
  std::uint32_t set_of(std::uint32_t holders) {
    const auto [set, added] =
        set_of_node_.try_emplace(holders, static_cast<std::uint32_t>(input_.holder_sets.size()));
    if (added) {
      input_.holder_sets.push_back(s_.sets.ranks(holders));
    }
    return set->second;
  }

  void append(const Box& box, std::uint32_t set, std::int64_t itemsize) {
    plan_.chunks.append(box);
    input_.chunk_bytes.push_back(box.num_elements() * itemsize);
    input_.chunk_set.push_back(set);
  }

  /// Replicated chunks cut over their holders, in order of the pieces' offsets.
  void append_pieces(std::span<const std::uint32_t> chunks, std::int64_t itemsize) {
    struct Piece {
      Box box;
      Dims source;
      std::uint32_t set;
    };
    std::vector<Piece> pieces;
    for (std::size_t i = 0; i < chunks.size(); ++i) {
      const std::uint32_t set = set_of(s_.holders[chunks[i]]);
      const auto num_holders = static_cast<std::int64_t>(input_.holder_sets[set].size());
      for (const Box& box : cut_over_holders(boxes_[i], itemsize, num_holders)) {
        pieces.push_back({box, boxes_[i].offsets, set});
      }
    }
    std::ranges::sort(pieces, {}, [](const Piece& piece) { return piece.box.offsets; });
    for (const Piece& piece : pieces) {
      if (piece.source != piece.box.offsets) {
        plan_.sources.emplace_back(plan_.chunks.size(), piece.source);
      }
      append(piece.box, piece.set, itemsize);
    }
  }

  void list_as_seen() {
    std::uint32_t empty = 0;
    for (std::uint32_t chunk = 0; chunk <= s_.chunks.size(); ++chunk) {
      for (; empty < s_.empty_holders.size() && s_.empty_seen_before[empty] == chunk; ++empty) {
        input_.seen.push_back({SeenItem::no_chunk, set_of(s_.empty_holders[empty]),
                               accounted_bytes(s_.entries[s_.empty_boxes.entry_of(empty)])});
      }
      if (chunk < s_.chunks.size()) {
        input_.seen.push_back({place_[chunk], set_of(s_.holders[chunk]),
                               accounted_bytes(s_.entries[s_.chunks.entry_of(chunk)])});
      }
    }
  }

  const MergedPlans& s_;
  DedupPolicy policy_;
  GlobalSavePlan plan_;
  DedupInput input_;
  std::unordered_map<std::uint32_t, std::uint32_t> set_of_node_;
  std::vector<Box> boxes_;            // of the entry in hand
  std::vector<std::uint32_t> place_;  // final number of a chunk, by arrival; for dcp alone
};

}  // namespace

Result<GlobalSavePlan> make_global_plan(MergedPlans merged, int world_size, DedupPolicy policy) {
  std::vector<std::uint32_t> by_name(merged.entries.size());
  std::iota(by_name.begin(), by_name.end(), 0U);
  std::sort(by_name.begin(), by_name.end(), [&](std::uint32_t a, std::uint32_t b) {
    return merged.entries[a].fqn < merged.entries[b].fqn;
  });
  std::vector<std::vector<std::uint32_t>> chunks_of_entry =
      merged.chunks.by_entry(merged.entries.size());
  Assembly assembly(merged, world_size, policy);
  for (const std::uint32_t id : by_name) {
    SHARDMARK_RETURN_IF_ERROR(assembly.add_entry(merged.entries[id], chunks_of_entry[id]));
    chunks_of_entry[id] = {};
  }
  return assembly.finish();
}

}  // namespace shardmark
