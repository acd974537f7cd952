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
  std::uint64_t bytes_gathered = 0;
  std::deque<KnownEntry> entries;  // stable, so that names can be viewed
  std::unordered_map<std::string_view, std::uint32_t> entry_of_name;
  ChunkIndex chunks;
  std::vector<std::uint32_t> holders;  // by chunk
  HolderSets sets;
  // What the rank before listed: most ranks list the same names in the same order, and often the
  // same boxes.
  std::vector<std::uint32_t> previous_entries;
  std::vector<std::uint32_t> previous_chunks;

  Result<std::uint32_t> resolve_entry(int rank, const LocalSavePlan::PlanEntry& entry,
                                      std::size_t position);
  Status resolve_box(int rank, std::uint32_t entry, const Box& box, std::size_t position);
};

GlobalPlanBuilder::GlobalPlanBuilder(int world_size) : state_(std::make_unique<State>()) {
  state_->world_size = world_size;
  state_->rank_items.assign(static_cast<std::size_t>(world_size), 0);
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

Status GlobalPlanBuilder::add(int rank, std::span<const std::byte> encoded_local_plan) {
  State& s = *state_;
  auto plan = decode_local_save_plan(encoded_local_plan);
  if (!plan) {
    return Error{plan.error().code, fmt::format("rank {}: {}", rank, plan.error().message)};
  }
  s.bytes_gathered += encoded_local_plan.size();
  s.items += plan->boxes.size();
  s.rank_items[static_cast<std::size_t>(rank)] = static_cast<std::uint32_t>(plan->boxes.size());
  for (std::size_t position = 0; position < plan->entries.size(); ++position) {
    const auto& entry = plan->entries[position];
    SHARDMARK_ASSIGN_OR_RETURN(const std::uint32_t id, s.resolve_entry(rank, entry, position));
    for (std::size_t b = 0; b < entry.num_boxes; ++b) {
      const std::size_t at = entry.first_box + b;
      SHARDMARK_RETURN_IF_ERROR(s.resolve_box(rank, id, plan->boxes[at], at));
    }
  }
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

}  // namespace

Result<GlobalSavePlan> GlobalPlanBuilder::finish(DedupPolicy policy) {
  State& s = *state_;
  GlobalSavePlan plan;
  plan.statistics.items = s.items;
  plan.statistics.rank_items = std::move(s.rank_items);
  plan.statistics.bytes_gathered = s.bytes_gathered;

  std::vector<std::uint32_t> by_name(s.entries.size());
  std::iota(by_name.begin(), by_name.end(), 0U);
  std::sort(by_name.begin(), by_name.end(),
            [&](std::uint32_t a, std::uint32_t b) { return s.entries[a].fqn < s.entries[b].fqn; });
  std::vector<std::vector<std::uint32_t>> chunks_of_entry = s.chunks.by_entry(s.entries.size());

  DedupInput input;
  input.world_size = s.world_size;
  input.chunk_bytes.reserve(s.chunks.size());
  input.chunk_set.reserve(s.chunks.size());
  plan.chunks.reserve(s.chunks.size(), s.chunks.num_coordinates());
  std::unordered_map<std::uint32_t, std::uint32_t> set_of_node;
  std::vector<Box> boxes;
  for (const std::uint32_t id : by_name) {
    const KnownEntry& known = s.entries[id];
    std::vector<std::uint32_t>& chunks = chunks_of_entry[id];
    s.chunks.sort_by_offsets(chunks);
    boxes.clear();
    for (const std::uint32_t chunk : chunks) {
      boxes.push_back(s.chunks.box(chunk));
    }
    if (const auto defect = find_cover_defect(known.sizes, boxes)) {
      return cover_error(known.fqn, *defect, boxes, [&](std::size_t box) {
        return s.sets.ranks(s.holders[chunks[box]]).front();
      });
    }
    plan.entries.entries.push_back({known.fqn, known.kind, known.dtype, known.sizes,
                                    plan.entries.num_chunks(), chunks.size()});
    for (std::size_t i = 0; i < chunks.size(); ++i) {
      const auto [set, added] = set_of_node.try_emplace(
          s.holders[chunks[i]], static_cast<std::uint32_t>(input.holder_sets.size()));
      if (added) {
        input.holder_sets.push_back(s.sets.ranks(s.holders[chunks[i]]));
      }
      plan.chunks.append(boxes[i]);
      input.chunk_bytes.push_back(boxes[i].num_elements() * element_size(known.dtype));
      input.chunk_set.push_back(set->second);
    }
    chunks = {};
  }
  plan.owners = assign_owners(input, policy);
  finish_statistics(plan, input);
  return plan;
}

}  // namespace shardmark
