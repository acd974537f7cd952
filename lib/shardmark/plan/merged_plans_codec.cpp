// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "shardmark/plan/merged_plans.hpp"

namespace shardmark {
namespace {

constexpr std::uint64_t wire_version = 1;

/// Numbers that mostly grow by small steps.
void encode_step(std::uint32_t from, std::uint32_t to, ByteWriter& out) {
  const auto step = static_cast<std::int64_t>(to) - static_cast<std::int64_t>(from);
  out.varint(static_cast<std::uint64_t>(step) << 1 ^ static_cast<std::uint64_t>(step >> 63));
}

/// Fails unless the result is below `end`.
std::uint32_t decode_step(std::uint32_t from, std::size_t end, ByteReader& in) {
  const std::uint64_t word = in.varint();
  const std::uint64_t step = word >> 1 ^ (~(word & 1) + 1);
  const std::uint64_t to = from + step;
  if (to >= end) {
    in.fail("number out of range");
    return 0;
  }
  return static_cast<std::uint32_t>(to);
}

/// Ranks ascending as runs of equal steps: the gap before each, its length, its step.
void encode_ranks(std::span<const std::int32_t> ranks, std::int32_t first, ByteWriter& out) {
  struct Run {
    std::int32_t first, step;
    std::size_t count;
  };
  std::vector<Run> runs;
  for (std::size_t i = 0; i < ranks.size();) {
    Run run{ranks[i], 1, 1};
    if (i + 1 < ranks.size()) {
      run.step = ranks[i + 1] - ranks[i];
      while (i + run.count < ranks.size() &&
             ranks[i + run.count] - ranks[i + run.count - 1] == run.step) {
        ++run.count;
      }
    }
    i += run.count;
    runs.push_back(run);
  }
  out.varint(runs.size());
  for (const Run& run : runs) {
    out.count(run.first - first);
    out.varint(run.count - 1);
    if (run.count > 1) {
      out.count(run.step - 1);
      first = run.first + static_cast<std::int32_t>(run.count - 1) * run.step + 1;
    } else {
      first = run.first + 1;
    }
  }
}

std::vector<std::int32_t> decode_ranks(RankInterval within, ByteReader& in) {
  std::vector<std::int32_t> ranks;
  const std::size_t num_runs = in.length(2);
  std::int64_t next = within.first;
  for (std::size_t i = 0; i < num_runs && in.ok(); ++i) {
    next += in.count(within.end);
    const std::int64_t more = in.count(within.end);
    const std::int64_t step = more > 0 ? in.count(within.end) + 1 : 1;
    if (next + more * step >= within.end) {
      in.fail("rank out of range");
      break;
    }
    for (std::int64_t k = 0; k <= more; ++k) {
      ranks.push_back(static_cast<std::int32_t>(next + k * step));
    }
    next += more * step + 1;
  }
  if (in.ok() && ranks.empty()) {
    in.fail("set of no rank");
  }
  return ranks;
}

/// Numbers the sets that are used, in the order of their first use.
class UsedSets {
 public:
  std::uint32_t number_of(std::uint32_t set) {
    if (set >= numbers_.size()) {
      numbers_.resize(set + 1, 0);
    }
    if (numbers_[set] == 0) {
      used_.push_back(set);
      numbers_[set] = static_cast<std::uint32_t>(used_.size());
    }
    return numbers_[set] - 1;
  }
  const std::vector<std::uint32_t>& used() const noexcept { return used_; }

 private:
  std::vector<std::uint32_t> numbers_;  // by set, 0 for none
  std::vector<std::uint32_t> used_;
};

void encode_totals(const MergedPlans& plans, ByteWriter& out) {
  const auto& totals = plans.totals;
  out.varint(totals.size());
  for (std::size_t i = 0; i < totals.size();) {
    const auto end = std::find_if(totals.begin() + static_cast<std::ptrdiff_t>(i), totals.end(),
                                  [&](const auto& other) { return other != totals[i]; });
    const auto count = static_cast<std::size_t>(end - totals.begin()) - i;
    out.varint(count - 1);
    out.varint(totals[i].items);
    out.count(totals[i].held_bytes);
    i += count;
  }
}

}  // namespace

void encode(const MergedPlans& plans, ByteWriter& out) {
  out.varint(wire_version);
  encode_totals(plans, out);
  out.varint(plans.bytes_gathered);
  out.varint(plans.entries.size());
  for (const auto& entry : plans.entries) {
    out.text(entry.fqn);
    out.varint(static_cast<std::uint64_t>(entry.kind));
    out.varint(static_cast<std::uint64_t>(entry.dtype));
    out.varint(entry.sizes.size());
    out.dims(entry.sizes);
    out.count(entry.first_rank - plans.first_rank);
  }
  ByteWriter listed;
  UsedSets used;
  std::uint32_t entry = 0;
  std::uint32_t set = 0;
  const auto list = [&](const ChunkIndex& index, std::uint32_t number, std::uint32_t holders) {
    const std::uint32_t other_entry = index.entry_of(number);
    const std::uint32_t other_set = used.number_of(holders);
    encode_step(entry, other_entry, listed);
    encode_step(set, other_set, listed);
    entry = other_entry;
    set = other_set;
    const Box box = index.box(number);
    listed.dims(box.offsets);
    listed.dims(box.sizes);
  };
  listed.varint(plans.chunks.size());
  for (std::uint32_t chunk = 0; chunk < plans.chunks.size(); ++chunk) {
    list(plans.chunks, chunk, plans.holders[chunk]);
  }
  listed.varint(plans.empty_boxes.size());
  std::uint32_t seen_before = 0;
  for (std::uint32_t empty = 0; empty < plans.empty_boxes.size(); ++empty) {
    listed.varint(plans.empty_seen_before[empty] - seen_before);
    seen_before = plans.empty_seen_before[empty];
    list(plans.empty_boxes, empty, plans.empty_holders[empty]);
  }
  out.varint(used.used().size());
  for (const std::uint32_t node : used.used()) {
    encode_ranks(plans.sets.ranks(node), plans.first_rank, out);
  }
  out.raw(listed.bytes());
}

/// Reads what encode() wrote and merges it as it goes.
class MergedPlans::Merge {
 public:
  Merge(MergedPlans& into, RankInterval ranks, std::span<const std::byte> bytes)
      : into_(into), ranks_(ranks), in_(bytes) {}

  Status run() {
    if (in_.varint() != wire_version) {
      in_.fail("unknown version");
    }
    read_totals();
    const std::uint64_t gathered_before = in_.varint();
    SHARDMARK_RETURN_IF_ERROR(merge_entries());
    const std::size_t num_sets = in_.length(3);
    for (std::size_t i = 0; i < num_sets && in_.ok(); ++i) {
      sets_.push_back(decode_ranks(ranks_, in_));
    }
    SHARDMARK_RETURN_IF_ERROR(merge_listed());
    if (in_.ok() && !in_.at_end()) {
      in_.fail("bytes after the end");
    }
    into_.bytes_gathered += gathered_before + in_.position();
    return in_.status(fmt::format("plans of ranks {} to {}", ranks_.first, ranks_.end - 1));
  }

 private:
  struct Listed {
    std::uint32_t entry = 0;  // theirs
    std::uint32_t set = 0;
    Box box;
  };

  void read_totals() {
    const auto num_ranks = static_cast<std::uint64_t>(ranks_.end - ranks_.first);
    if (in_.varint() != num_ranks) {
      in_.fail("other ranks");
    }
    for (std::int32_t rank = ranks_.first; rank < ranks_.end && in_.ok();) {
      const std::int64_t count = in_.count(ranks_.end - rank - 1) + 1;
      RankTotals totals;
      totals.items = static_cast<std::uint32_t>(in_.count(UINT32_MAX));
      totals.held_bytes = in_.count();
      for (std::int64_t i = 0; i < count && in_.ok(); ++i) {
        into_.totals_of(rank++) = totals;
        into_.items += totals.items;
      }
    }
  }

  Status merge_entries() {
    const std::size_t num_entries = in_.length(5);
    for (std::size_t i = 0; i < num_entries && in_.ok(); ++i) {
      LocalSavePlan::PlanEntry entry;
      entry.fqn = in_.text();
      entry.kind = static_cast<EntryKind>(in_.count(1));
      const auto dtype = dtype_from_number(in_.varint());
      entry.dtype = dtype.value_or(Dtype::uint8);
      entry.sizes = in_.dims(static_cast<int>(in_.count(max_ndim)));
      const auto rank = static_cast<int>(ranks_.first + in_.count(ranks_.end - ranks_.first - 1));
      if (in_.ok() && (!dtype || !check_new_entry(entry) ||
                       (entry.kind == EntryKind::object &&
                        (entry.dtype != Dtype::uint8 || entry.sizes.ndim() != 1)))) {
        in_.fail("entry that cannot be");
      }
      if (!in_.ok()) {
        break;
      }
      const std::uint32_t id = into_.find_or_add(rank, entry);
      SHARDMARK_RETURN_IF_ERROR(into_.check_entry(id, rank, entry));
      entries_.push_back(id);
    }
    return {};
  }

  /// The next chunk or empty box.
  bool read(Listed& at) {
    at.entry = decode_step(at.entry, entries_.size(), in_);
    at.set = decode_step(at.set, sets_.size(), in_);
    if (!in_.ok()) {
      return false;
    }
    const Dims& sizes = into_.entries[entries_[at.entry]].sizes;
    at.box.offsets = in_.dims(sizes.ndim());
    at.box.sizes = in_.dims(sizes.ndim());
    if (in_.ok() && !check_box({}, at.box, sizes)) {
      in_.fail("box out of bounds");
    }
    return in_.ok();
  }

  Status merge_listed() {
    const std::size_t num_chunks = in_.length(2);
    Listed at;
    std::vector<std::uint32_t> arrival;  // how many chunks were known before each of theirs
    arrival.reserve(num_chunks + 1);
    for (std::size_t i = 0; i < num_chunks && read(at); ++i) {
      arrival.push_back(static_cast<std::uint32_t>(into_.chunks.size()));
      if (at.box.empty()) {
        in_.fail("chunk of nothing");
        break;
      }
      SHARDMARK_RETURN_IF_ERROR(merge_chunk(at));
    }
    arrival.push_back(static_cast<std::uint32_t>(into_.chunks.size()));
    const std::size_t num_empty = in_.length(3);
    std::uint64_t seen_before = 0;
    for (std::size_t i = 0; i < num_empty && in_.ok(); ++i) {
      seen_before += static_cast<std::uint64_t>(in_.count(INT32_MAX));
      if (seen_before >= arrival.size()) {
        in_.fail("seen before a chunk that is not there");
      }
      if (read(at) && !at.box.empty()) {
        in_.fail("empty box that is none");
      }
      if (in_.ok()) {
        merge_empty(at, arrival[seen_before]);
      }
    }
    return {};
  }

  Status merge_chunk(const Listed& at) {
    const std::uint32_t entry = entries_[at.entry];
    const std::uint32_t chunk = into_.chunks.find_or_add(entry, at.box);
    if (chunk == into_.holders.size()) {
      into_.holders.push_back(HolderSets::none);
    }
    SHARDMARK_RETURN_IF_ERROR(into_.check_sizes(entry, chunk, sets_[at.set].front(), at.box));
    std::uint32_t& holders = into_.holders[chunk];
    if (holders != HolderSets::none && into_.sets.last_rank(holders) >= ranks_.first) {
      in_.fail("chunk listed twice");
      return {};
    }
    holders = with(holders, at.set);
    return {};
  }

  void merge_empty(const Listed& at, std::uint32_t seen_before) {
    const std::uint32_t number = into_.find_or_add_empty(entries_[at.entry], at.box);
    std::uint32_t& holders = into_.empty_holders[number];
    if (holders == HolderSets::none) {
      into_.empty_seen_before[number] = seen_before;
    } else if (into_.sets.last_rank(holders) >= ranks_.first) {
      in_.fail("empty box listed twice");
      return;
    }
    holders = with(holders, at.set);
  }

  /// Their ranks are above ours: two unions are equal only if both of their parts are.
  std::uint32_t with(std::uint32_t ours, std::uint32_t theirs) {
    const auto [at, added] =
        unions_.try_emplace(std::uint64_t{ours} << 32 | theirs, HolderSets::none);
    if (added) {
      at->second = into_.sets.append(ours, sets_[theirs]);
    }
    return at->second;
  }

  MergedPlans& into_;
  RankInterval ranks_;
  ByteReader in_;
  std::vector<std::uint32_t> entries_;  // ours, by theirs
  std::vector<std::vector<std::int32_t>> sets_;
  std::unordered_map<std::uint64_t, std::uint32_t> unions_;
};

Status MergedPlans::add_merged(RankInterval ranks, std::span<const std::byte> encoded) {
  return Merge(*this, ranks, encoded).run();
}

}  // namespace shardmark
