// SPDX-License-Identifier: Apache-2.0
#include "shardmark/plan/global_plan_builder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <numeric>
#include <string>
#include <unordered_map>

#include "shardmark/core/cover.hpp"
#include "shardmark/plan/chunk_index.hpp"
#include "shardmark/plan/holder_sets.hpp"
#include "shardmark/plan/local_save_plan.hpp"
#include "shardmark/plan/split.hpp"

namespace shardmark {
namespace {

struct KnownEntry {
  std::string fqn;
  EntryKind kind;
  Dtype dtype;
  Dims sizes;
  int first_rank;
};

std::string describe(EntryKind kind, Dtype dtype, const Dims& sizes) {
  return kind == EntryKind::object
             ? fmt::format("an object of {} bytes", sizes[0])
             : fmt::format("a {} tensor {}", dtype_name(dtype), to_string(sizes));
}

}  // namespace

struct GlobalPlanBuilder::State {
  int world_size = 0;
  std::uint64_t items = 0;
  std::vector<std::uint32_t> rank_items;
  std::vector<std::int64_t> rank_held_bytes;
  std::uint64_t bytes_gathered = 0;
  std::deque<KnownEntry> entries;  // stable, so that names can be viewed
  std::unordered_map<std::string_view, std::uint32_t> entry_of_name;
  ChunkIndex chunks;
  std::vector<std::uint32_t> holders;  // by chunk
  HolderSets sets;
  // Empty boxes, where the plans name them: as chunks and holders, and how many chunks were known
  // when each was seen first.
  ChunkIndex empty_boxes;
  std::vector<std::uint32_t> empty_holders;
  std::vector<std::uint32_t> empty_seen_before;
  // What the rank before listed: most ranks list the same names in the same order, and often the
  // same boxes.
  std::vector<std::uint32_t> previous_entries;
  std::vector<std::uint32_t> previous_chunks;

  Result<std::uint32_t> resolve_entry(int rank, const LocalSavePlan::PlanEntry& entry,
                                      std::size_t position);
  Status resolve_box(int rank, std::uint32_t entry, const Box& box, std::size_t position);
  void note_empty_box(int rank, std::uint32_t entry, const Box& box);
};

GlobalPlanBuilder::GlobalPlanBuilder(int world_size) : state_(std::make_unique<State>()) {
  state_->world_size = world_size;
  state_->rank_items.assign(static_cast<std::size_t>(world_size), 0);
  state_->rank_held_bytes.assign(static_cast<std::size_t>(world_size), 0);
}
GlobalPlanBuilder::~GlobalPlanBuilder() = default;

Result<std::uint32_t> GlobalPlanBuilder::State::resolve_entry(int rank,
                                                              const LocalSavePlan::PlanEntry& entry,
                                                              std::size_t position) {
  std::uint32_t id = 0;
  if (position < previous_entries.size() && entries[previous_entries[position]].fqn == entry.fqn) {
    id = previous_entries[position];
  } else if (const auto found = entry_of_name.find(entry.fqn); found != entry_of_name.end()) {
    id = found->second;
  } else {
    id = static_cast<std::uint32_t>(entries.size());
    entries.push_back({std::string(entry.fqn), entry.kind, entry.dtype, entry.sizes, rank});
    entry_of_name.emplace(entries.back().fqn, id);
  }
  const KnownEntry& known = entries[id];
  if (known.kind != entry.kind || known.dtype != entry.dtype || known.sizes != entry.sizes) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("ranks disagree on '{}': rank {} has {}, rank {} has {}", entry.fqn,
                             known.first_rank, describe(known.kind, known.dtype, known.sizes), rank,
                             describe(entry.kind, entry.dtype, entry.sizes))};
  }
  if (position >= previous_entries.size()) {
    previous_entries.resize(position + 1, id);
  }
  previous_entries[position] = id;
  return id;
}

Status GlobalPlanBuilder::State::resolve_box(int rank, std::uint32_t entry, const Box& box,
                                             std::size_t position) {
  std::uint32_t chunk = 0;
  if (position < previous_chunks.size() &&
      chunks.is_at(previous_chunks[position], entry, box.offsets)) {
    chunk = previous_chunks[position];
  } else {
    chunk = chunks.find_or_add(entry, box);
  }
  if (chunk == holders.size()) {
    holders.push_back(HolderSets::none);
  }
  const Box known = chunks.box(chunk);
  if (known.sizes != box.sizes) {
    return Error{
        ErrorCode::invalid_argument,
        fmt::format("'{}': two chunks start at {}: rank {} has {}, rank {} has {}",
                    entries[entry].fqn, to_string(box.offsets), sets.ranks(holders[chunk]).front(),
                    to_string(known.sizes), rank, to_string(box.sizes))};
  }
  if (holders[chunk] != HolderSets::none && sets.last_rank(holders[chunk]) == rank) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("'{}': rank {} lists chunk {} twice", entries[entry].fqn, rank,
                             to_string(box))};
  }
  holders[chunk] = sets.with(holders[chunk], rank);
  if (position >= previous_chunks.size()) {
    previous_chunks.resize(position + 1, chunk);
  }
  previous_chunks[position] = chunk;
  return {};
}

void GlobalPlanBuilder::State::note_empty_box(int rank, std::uint32_t entry, const Box& box) {
  const std::uint32_t number = empty_boxes.find_or_add(entry, box);
  if (number == empty_holders.size()) {
    empty_holders.push_back(HolderSets::none);
    empty_seen_before.push_back(static_cast<std::uint32_t>(chunks.size()));
  }
  if (empty_holders[number] == HolderSets::none || sets.last_rank(empty_holders[number]) != rank) {
    empty_holders[number] = sets.with(empty_holders[number], rank);
  }
}

Status GlobalPlanBuilder::add(int rank, std::span<const std::byte> encoded_local_plan) {
  State& s = *state_;
  auto plan = decode_local_save_plan(encoded_local_plan);
  if (!plan) {
    return Error{plan.error().code, fmt::format("rank {}: {}", rank, plan.error().message)};
  }
  s.bytes_gathered += encoded_local_plan.size();
  std::uint32_t num_items = 0;
  std::int64_t& held_bytes = s.rank_held_bytes[static_cast<std::size_t>(rank)];
  for (std::size_t position = 0; position < plan->entries.size(); ++position) {
    const auto& entry = plan->entries[position];
    SHARDMARK_ASSIGN_OR_RETURN(const std::uint32_t id, s.resolve_entry(rank, entry, position));
    for (std::size_t b = 0; b < entry.num_boxes; ++b) {
      const std::size_t at = entry.first_box + b;
      if (plan->boxes[at].empty()) {
        s.note_empty_box(rank, id, plan->boxes[at]);
        continue;
      }
      SHARDMARK_RETURN_IF_ERROR(s.resolve_box(rank, id, plan->boxes[at], at));
      ++num_items;
      held_bytes += plan->boxes[at].num_elements() * element_size(entry.dtype);
    }
  }
  s.items += num_items;
  s.rank_items[static_cast<std::size_t>(rank)] = num_items;
  return {};
}

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
std::int64_t accounted_bytes(const KnownEntry& entry) {
  const std::int64_t bytes = volume(entry.sizes) * element_size(entry.dtype);
  return entry.kind == EntryKind::object || bytes == 0 ? 1 : bytes;
}

/// By number in the index.
std::vector<std::uint32_t> entries_of(const ChunkIndex& index, std::size_t num_entries) {
  std::vector<std::uint32_t> entry_of(index.size());
  const auto lists = index.by_entry(num_entries);
  for (std::uint32_t entry = 0; entry < lists.size(); ++entry) {
    for (const std::uint32_t number : lists[entry]) {
      entry_of[number] = entry;
    }
  }
  return entry_of;
}

}  // namespace

/// The global plan in the making: chunks are appended in their final order.
class GlobalPlanBuilder::Assembly {
 public:
  Assembly(State& state, DedupPolicy policy) : s_(state), policy_(policy) {
    plan_.statistics.items = s_.items;
    plan_.statistics.rank_items = std::move(s_.rank_items);
    plan_.statistics.rank_held_bytes = std::move(s_.rank_held_bytes);
    plan_.statistics.bytes_gathered = s_.bytes_gathered;
    input_.world_size = s_.world_size;
    input_.chunk_bytes.reserve(s_.chunks.size());
    input_.chunk_set.reserve(s_.chunks.size());
    plan_.chunks.reserve(s_.chunks.size(), s_.chunks.num_coordinates());
    if (policy_ == DedupPolicy::dcp) {
      place_.resize(s_.chunks.size());
    }
  }

  /// `chunks`: their numbers in order of arrival.
  Status add_entry(const KnownEntry& known, std::vector<std::uint32_t>& chunks) {
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
    const auto entry_of_chunk = entries_of(s_.chunks, s_.entries.size());
    const auto entry_of_empty = entries_of(s_.empty_boxes, s_.entries.size());
    std::uint32_t empty = 0;
    for (std::uint32_t chunk = 0; chunk <= s_.chunks.size(); ++chunk) {
      for (; empty < s_.empty_holders.size() && s_.empty_seen_before[empty] == chunk; ++empty) {
        input_.seen.push_back({SeenItem::no_chunk, set_of(s_.empty_holders[empty]),
                               accounted_bytes(s_.entries[entry_of_empty[empty]])});
      }
      if (chunk < s_.chunks.size()) {
        input_.seen.push_back({place_[chunk], set_of(s_.holders[chunk]),
                               accounted_bytes(s_.entries[entry_of_chunk[chunk]])});
      }
    }
  }

  State& s_;
  DedupPolicy policy_;
  GlobalSavePlan plan_;
  DedupInput input_;
  std::unordered_map<std::uint32_t, std::uint32_t> set_of_node_;
  std::vector<Box> boxes_;            // of the entry in hand
  std::vector<std::uint32_t> place_;  // final number of a chunk, by arrival; for dcp alone
};

Result<GlobalSavePlan> GlobalPlanBuilder::finish(DedupPolicy policy) {
  State& s = *state_;
  std::vector<std::uint32_t> by_name(s.entries.size());
  std::iota(by_name.begin(), by_name.end(), 0U);
  std::sort(by_name.begin(), by_name.end(),
            [&](std::uint32_t a, std::uint32_t b) { return s.entries[a].fqn < s.entries[b].fqn; });
  std::vector<std::vector<std::uint32_t>> chunks_of_entry = s.chunks.by_entry(s.entries.size());
  Assembly assembly(s, policy);
  for (const std::uint32_t id : by_name) {
    SHARDMARK_RETURN_IF_ERROR(assembly.add_entry(s.entries[id], chunks_of_entry[id]));
    chunks_of_entry[id] = {};
  }
  return assembly.finish();
}

}  // namespace shardmark
