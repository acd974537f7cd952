// SPDX-License-Identifier: Apache-2.0
#include "shardmark/plan/owners/holder_balance.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <queue>

#include "shardmark/core/by_rank.hpp"

namespace shardmark {
namespace {

/// A chunk that waits for its owner.
struct Candidate {
  std::int64_t num_bytes = 0;
  std::uint32_t entry = 0;
  std::uint64_t chunk = 0;  // among all
  Box box;
};

/// The chunks of one set of holders, in canonical order.
template <typename Item>
struct HolderGroup {
  HolderPattern holders;
  std::int64_t base = 0;
  std::vector<Item> items;
};

template <typename Item>
HolderGroup<Item>& group_of(std::vector<HolderGroup<Item>>& groups, const HolderPattern& holders,
                            std::int64_t base) {
  // The last group first: neighbours usually share their holders, and a rank is in few sets.
  for (std::size_t i = groups.size(); i-- > 0;) {
    if (groups[i].base == base && groups[i].holders == holders) {
      return groups[i];
    }
  }
  return groups.emplace_back(HolderGroup<Item>{holders, base, {}});
}

template <typename Item>
void sort_by_bytes(std::vector<Item>& items) {
  std::stable_sort(items.begin(), items.end(),
                   [](const Item& a, const Item& b) { return a.num_bytes > b.num_bytes; });
}

template <typename Item>
std::vector<std::int64_t> spread(const std::vector<Item>& sorted, std::int64_t num_holders) {
  std::vector<std::int64_t> bytes;
  bytes.reserve(sorted.size());
  for (const Item& item : sorted) {
    bytes.push_back(item.num_bytes);
  }
  return spread_over_holders(bytes, num_holders);
}

}  // namespace

std::vector<std::int64_t> spread_over_holders(std::span<const std::int64_t> bytes,
                                              std::int64_t num_holders) {
  std::vector<std::int64_t> places;
  places.reserve(bytes.size());
  if (num_holders == 1) {
    places.assign(bytes.size(), 0);
    return places;
  }
  using Holder = std::pair<std::int64_t, std::int64_t>;  // bytes so far, place
  std::priority_queue<Holder, std::vector<Holder>, std::greater<>> least;
  for (const std::int64_t num_bytes : bytes) {
    Holder holder{0, static_cast<std::int64_t>(least.size())};
    if (holder.second == num_holders) {
      holder = least.top();
      least.pop();
    }
    places.push_back(holder.second);
    holder.first += num_bytes;
    least.push(holder);
  }
  return places;
}

bool has_layout_owners(DedupPolicy policy) noexcept {
  return policy == DedupPolicy::balanced || policy == DedupPolicy::lowest_rank;
}

SavePlan layout_writes(std::int64_t rank, const EntryTable& entries, const ChunkTable& chunks,
                       DedupPolicy policy) {
  SavePlan plan;
  std::vector<HolderGroup<Candidate>> groups;  // of replicated chunks
  const ChunkGrid* last = nullptr;
  std::optional<ChunkGrid::Place> place;
  for (std::uint32_t e = 0; e < entries.entries.size(); ++e) {
    const Entry& entry = entries.entries[e];
    const ChunkGrid* grid = chunks.grid_of(entry);
    if (grid == nullptr) {
      continue;
    }
    if (grid != last) {
      place = grid->place_of(rank);
      last = grid;
    }
    if (!place || (policy == DedupPolicy::lowest_rank && place->replica != 0)) {
      continue;
    }
    const bool decided = policy == DedupPolicy::lowest_rank || grid->holders().num_steps == 0;
    HolderGroup<Candidate>* group = nullptr;
    grid->for_each_chunk_at(place->coordinate, [&](std::uint64_t ordinal, const Box& box) {
      const std::uint64_t chunk = entry.first_chunk + ordinal;
      if (decided) {
        plan.writes.push_back({e, chunk, box.offsets, box});
        return;
      }
      if (group == nullptr) {
        group = &group_of(groups, grid->holders(), place->base);
      }
      group->items.push_back({box.num_elements() * element_size(entry.dtype), e, chunk, box});
    });
  }
  for (HolderGroup<Candidate>& group : groups) {
    sort_by_bytes(group.items);
    const std::vector<std::int64_t> places = spread(group.items, group.holders.size());
    for (std::size_t i = 0; i < places.size(); ++i) {
      if (group.holders.rank(group.base, places[i]) == rank) {
        const Candidate& item = group.items[i];
        plan.writes.push_back({item.entry, item.chunk, item.box.offsets, item.box});
      }
    }
  }
  std::sort(plan.writes.begin(), plan.writes.end(),
            [](const PlannedWrite& a, const PlannedWrite& b) { return a.chunk < b.chunk; });
  return plan;
}

void fill_layout_owners(const EntryTable& entries, const ChunkTable& chunks, DedupPolicy policy,
                        std::span<std::int32_t> owners) {
  struct Item {
    std::int64_t num_bytes;
    std::uint64_t chunk;
  };
  // Sets by pattern, then by base: there may be as many as ranks.
  std::vector<HolderPattern> patterns;
  std::map<std::pair<std::size_t, std::int64_t>, std::vector<Item>> sets;
  for (const Entry& entry : entries.entries) {
    const ChunkGrid* grid = chunks.grid_of(entry);
    if (grid == nullptr) {
      continue;
    }
    const auto known = std::find(patterns.begin(), patterns.end(), grid->holders());
    const auto pattern = static_cast<std::size_t>(known - patterns.begin());
    if (known == patterns.end()) {
      patterns.push_back(grid->holders());
    }
    const bool decided = policy == DedupPolicy::lowest_rank || grid->holders().num_steps == 0;
    for (std::uint64_t i = 0; i < entry.num_chunks; ++i) {
      const std::int64_t base = grid->base_of(i);
      const std::uint64_t chunk = entry.first_chunk + i;
      if (decided) {
        owners[chunk] = static_cast<std::int32_t>(base);
      } else {
        sets[{pattern, base}].push_back(
            {grid->box(i).num_elements() * element_size(entry.dtype), chunk});
      }
    }
  }
  for (auto& [key, items] : sets) {
    const HolderPattern& holders = patterns[key.first];
    sort_by_bytes(items);
    const std::vector<std::int64_t> places = spread(items, holders.size());
    for (std::size_t i = 0; i < places.size(); ++i) {
      owners[items[i].chunk] = static_cast<std::int32_t>(holders.rank(key.second, places[i]));
    }
  }
}

namespace {

/// Entries that look the same to every rank: one grid, one element size.
struct EntryClass {
  const ChunkGrid* grid;
  std::int64_t itemsize;
  std::int64_t count = 0;
};

/// All classes with one set of holders for each rank, and the order in which their chunks meet
/// equals in size: by entry.
struct PatternClasses {
  HolderPattern holders;
  std::vector<std::size_t> classes;
  std::vector<std::size_t> order;  // class of each entry of this pattern, entries ascending
  // What each place of a set writes, by the bytes that its classes' chunks have.
  std::map<std::vector<std::int64_t>, std::vector<std::int64_t>> written;
};

class LayoutStatistics {
 public:
  LayoutStatistics(const EntryTable& entries, const ChunkTable& chunks, DedupPolicy policy)
      : policy_(policy) {
    std::map<std::pair<const ChunkGrid*, std::int64_t>, std::size_t> known;
    for (const Entry& entry : entries.entries) {
      const ChunkGrid* grid = chunks.grid_of(entry);
      if (grid == nullptr) {
        continue;
      }
      const std::int64_t itemsize = element_size(entry.dtype);
      const auto [at, added] = known.try_emplace({grid, itemsize}, classes_.size());
      if (added) {
        classes_.push_back({grid, itemsize, 0});
      }
      ++classes_[at->second].count;
      PatternClasses& pattern = pattern_of(grid->holders());
      pattern.order.push_back(at->second);
      if (added) {
        pattern.classes.push_back(at->second);
      }
    }
    held_.resize(classes_.size());
    base_.resize(classes_.size(), -1);
  }

  void add_rank(std::int64_t rank, SavePlanStatistics& to) {
    for (PatternClasses& pattern : patterns_) {
      // Sets of one pattern may be offset against each other, where meshes are.
      std::vector<ChunkGrid::Place> places;
      for (const std::size_t c : pattern.classes) {
        const auto place = look_up(c, rank, to);
        base_[c] = place ? place->base : -1;
        if (place && std::none_of(places.begin(), places.end(), [&](const ChunkGrid::Place& known) {
              return known.base == place->base;
            })) {
          places.push_back(*place);
        }
      }
      for (const ChunkGrid::Place& place : places) {
        const std::int64_t written = written_by(pattern, place);
        of_rank(to.rank_bytes, rank) += written;
        to.num_bytes += written;
      }
    }
  }

 private:
  PatternClasses& pattern_of(const HolderPattern& holders) {
    for (PatternClasses& pattern : patterns_) {
      if (pattern.holders == holders) {
        return pattern;
      }
    }
    patterns_.push_back({holders, {}, {}, {}});
    return patterns_.back();
  }

  /// Fills held_[c] with the bytes of this rank's chunks of one entry of the class.
  std::optional<ChunkGrid::Place> look_up(std::size_t c, std::int64_t rank,
                                          SavePlanStatistics& to) {
    const EntryClass& entries = classes_[c];
    held_[c].clear();
    const auto place = entries.grid->place_of(rank);
    if (!place) {
      return std::nullopt;
    }
    std::int64_t bytes = 0;
    entries.grid->for_each_chunk_at(place->coordinate, [&](std::uint64_t, const Box& box) {
      held_[c].push_back(box.num_elements() * entries.itemsize);
      bytes += held_[c].back();
    });
    const auto items = static_cast<std::uint64_t>(entries.count) * held_[c].size();
    const auto r = static_cast<std::size_t>(rank);
    to.items += items;
    to.rank_items[r] += static_cast<std::uint32_t>(items);
    to.rank_held_bytes[r] += bytes * entries.count;
    return held_[c].empty() ? std::nullopt : place;
  }

  std::int64_t written_by(PatternClasses& pattern, const ChunkGrid::Place& place) {
    if (pattern.holders.num_steps == 0 || policy_ == DedupPolicy::lowest_rank) {
      std::int64_t sum = 0;
      for (const std::size_t c : pattern.classes) {
        if (base_[c] == place.base) {
          sum += std::accumulate(held_[c].begin(), held_[c].end(), std::int64_t{0}) *
                 classes_[c].count;
        }
      }
      return place.replica == 0 ? sum : 0;
    }
    std::vector<std::int64_t> key;
    for (const std::size_t c : pattern.classes) {
      if (base_[c] == place.base) {
        key.push_back(static_cast<std::int64_t>(held_[c].size()));
        key.insert(key.end(), held_[c].begin(), held_[c].end());
      } else {
        key.push_back(0);
      }
    }
    auto [at, added] = pattern.written.try_emplace(std::move(key));
    if (added) {
      at->second = spread_set(pattern, place.base);
    }
    const auto replica = static_cast<std::size_t>(place.replica);
    return replica < at->second.size() ? at->second[replica] : 0;
  }

  std::vector<std::int64_t> spread_set(const PatternClasses& pattern, std::int64_t base) const {
    std::vector<std::int64_t> bytes;
    for (const std::size_t c : pattern.order) {
      if (base_[c] == base) {
        bytes.insert(bytes.end(), held_[c].begin(), held_[c].end());
      }
    }
    std::sort(bytes.begin(), bytes.end(), std::greater<>());
    const auto places = spread_over_holders(bytes, pattern.holders.size());
    std::vector<std::int64_t> written;
    for (std::size_t i = 0; i < places.size(); ++i) {
      const auto place = static_cast<std::size_t>(places[i]);
      written.resize(std::max(written.size(), place + 1));
      written[place] += bytes[i];
    }
    return written;
  }

  DedupPolicy policy_;
  std::vector<EntryClass> classes_;
  std::vector<PatternClasses> patterns_;
  // Of the rank in hand, by class: bytes of its chunks, and the lowest rank that holds them too.
  std::vector<std::vector<std::int64_t>> held_;
  std::vector<std::int64_t> base_;
};

}  // namespace

void add_layout_statistics(const EntryTable& entries, const ChunkTable& chunks, DedupPolicy policy,
                           std::int64_t world_size, SavePlanStatistics& statistics) {
  const auto ranks = static_cast<std::size_t>(world_size);
  statistics.rank_bytes.resize(ranks);
  statistics.rank_items.resize(ranks);
  statistics.rank_held_bytes.resize(ranks);
  LayoutStatistics all(entries, chunks, policy);
  const std::int64_t held_before = std::accumulate(
      statistics.rank_held_bytes.begin(), statistics.rank_held_bytes.end(), std::int64_t{0});
  const std::int64_t stored_before = statistics.num_bytes;
  for (std::int64_t rank = 0; rank < world_size; ++rank) {
    all.add_rank(rank, statistics);
  }
  const std::int64_t held = std::accumulate(statistics.rank_held_bytes.begin(),
                                            statistics.rank_held_bytes.end(), std::int64_t{0}) -
                            held_before;
  statistics.deduplicated_bytes += held - (statistics.num_bytes - stored_before);
}

}  // namespace shardmark
