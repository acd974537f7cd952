// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "shardmark/plan/merge/merged_plans.hpp"

namespace shardmark {
namespace {

constexpr std::uint64_t merged_plans_version = 1;

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
  out.varint(merged_plans_version);
  encode_totals(plans, out);
  out.varint(plans.bytes_gathered);
  UsedSets used;
  for (const auto& entry : plans.entries) {
    for (const auto* held : {&entry.chunks, &entry.empty}) {
      for (const std::uint32_t set : held->holders) {
        used.number_of(set);
      }
    }
  }
  out.varint(used.used().size());
  for (const std::uint32_t node : used.used()) {
    encode_ranks(plans.sets.ranks(node), plans.first_rank, out);
  }
  out.varint(plans.entries.size());
  std::uint32_t set = 0;
  std::uint32_t arrival = 0;
  const auto list = [&](const MergedPlans::HeldChunks& held) {
    out.varint(held.boxes.size());
    for (std::uint32_t number = 0; number < held.boxes.size(); ++number) {
      const std::uint32_t other_set = used.number_of(held.holders[number]);
      encode_step(set, other_set, out);
      set = other_set;
      if (plans.ordered) {
        encode_step(arrival, held.arrival[number], out);
        arrival = held.arrival[number];
      }
      out.counts(held.boxes.coordinates(number));
    }
  };
  for (const auto& entry : plans.entries) {
    encode_entry_head(entry, out);
    out.count(entry.first_rank - plans.first_rank);
    list(entry.chunks);
    if (plans.ordered) {
      list(entry.empty);
    }
  }
}

/// Reads what encode() wrote and merges it as it goes.
class MergedPlans::Merge {
 public:
  Merge(MergedPlans& into, RankInterval ranks, std::span<const std::byte> bytes)
      : into_(into), ranks_(ranks), in_(bytes) {}

  Status run() {
    if (in_.varint() != merged_plans_version) {
      in_.fail("unknown version");
    }
    read_totals();
    const std::uint64_t gathered_before = in_.varint();
    const std::size_t num_sets = in_.length(3);
    for (std::size_t i = 0; i < num_sets && in_.ok(); ++i) {
      sets_.push_back(decode_ranks(ranks_, in_));
    }
    const std::size_t num_entries = in_.length(7);
    for (std::size_t i = 0; i < num_entries && in_.ok(); ++i) {
      SHARDMARK_RETURN_IF_ERROR(merge_entry());
    }
    if (in_.ok() && !in_.at_end()) {
      in_.fail("bytes after the end");
    }
    number_new_ones();
    into_.bytes_gathered += gathered_before + in_.position();
    return in_.status(fmt::format("plans of ranks {} to {}", ranks_.first, ranks_.end - 1));
  }

 private:
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

  Status merge_entry() {
    LocalSavePlan::PlanEntry entry;
    entry.fqn = in_.text();
    entry.kind = static_cast<EntryKind>(in_.count(1));
    const auto dtype = dtype_from_number(in_.varint());
    entry.dtype = dtype.value_or(Dtype::uint8);
    entry.sizes = in_.dims(static_cast<int>(in_.count(max_ndim)));
    const auto rank = static_cast<int>(ranks_.first + in_.count(ranks_.end - ranks_.first - 1));
    const bool fits = dtype && check_new_entry(entry) &&
                      (entry.kind == EntryKind::tensor ||
                       (entry.dtype == Dtype::uint8 && entry.sizes.ndim() == 1));
    if (!fits) {
      in_.fail("entry that cannot be");
    }
    if (!in_.ok()) {
      return {};
    }
    const std::uint32_t id = into_.find_or_add(rank, entry);
    SHARDMARK_RETURN_IF_ERROR(into_.check_entry(id, rank, entry));
    KnownEntry& known = into_.entries[id];
    SHARDMARK_RETURN_IF_ERROR(merge_chunks(known, known.chunks));
    return into_.ordered ? merge_chunks(known, known.empty) : Status();
  }

  /// The next box of `entry`, into coordinates_.
  void read_box(const KnownEntry& entry, bool empty) {
    set_ = decode_step(set_, sets_.size(), in_);
    if (into_.ordered) {
      arrival_ = decode_step(arrival_, UINT32_MAX, in_);
    }
    const std::size_t ndim = entry.sizes.size();
    in_.counts(std::span(coordinates_).first(2 * ndim));
    bool is_empty = false;
    for (std::size_t d = 0; d < ndim; ++d) {
      const std::int64_t extent = entry.sizes[static_cast<int>(d)];
      if (coordinates_[d] > extent || coordinates_[ndim + d] > extent - coordinates_[d]) {
        in_.fail("box out of bounds");
      }
      is_empty = is_empty || coordinates_[ndim + d] == 0;
    }
    if (is_empty != empty) {
      in_.fail(empty ? "empty box that is none" : "chunk of nothing");
    }
  }

  Status merge_chunks(KnownEntry& entry, HeldChunks& known) {
    const bool empty = &known == &entry.empty;
    const std::size_t num_boxes = in_.length(1 + 2 * entry.sizes.size());
    const std::span<const std::int64_t> coordinates(coordinates_.data(), 2 * entry.sizes.size());
    for (std::size_t i = 0; i < num_boxes && in_.ok(); ++i) {
      read_box(entry, empty);
      if (!in_.ok()) {
        break;
      }
      const std::uint32_t number = into_.find_or_add(known, coordinates.data());
      std::uint32_t& holders = known.holders[number];
      if (holders == HolderSets::none) {
        into_.num_chunks += empty ? 0 : 1;
        if (into_.ordered) {
          new_ones_.push_back({arrival_, &known, number});
        }
      } else if (into_.sets.last_rank(holders) >= ranks_.first) {
        in_.fail("box listed twice");
        break;
      } else if (const auto box = known.boxes.coordinates(number);
                 !std::equal(box.begin(), box.end(), coordinates.begin()) && !empty) {
        return into_.sizes_differ(entry, number, sets_[set_].front(), coordinates);
      }
      holders = with(holders, set_);
    }
    return {};
  }

  /// They come after all that was known, in their own order.
  void number_new_ones() {
    std::sort(new_ones_.begin(), new_ones_.end(),
              [](const NewOne& a, const NewOne& b) { return a.arrival < b.arrival; });
    auto next = into_.next_arrival_ - static_cast<std::uint32_t>(new_ones_.size());
    for (const NewOne& one : new_ones_) {
      one.held->arrival[one.number] = next++;
    }
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

  struct NewOne {
    std::uint32_t arrival;
    HeldChunks* held;
    std::uint32_t number;
  };

  MergedPlans& into_;
  RankInterval ranks_;
  ByteReader in_;
  std::vector<std::vector<std::int32_t>> sets_;
  std::unordered_map<std::uint64_t, std::uint32_t> unions_;
  std::vector<NewOne> new_ones_;
  // Of the box in hand.
  std::uint32_t set_ = 0;
  std::uint32_t arrival_ = 0;
  std::array<std::int64_t, 2 * max_ndim> coordinates_{};
};

Status MergedPlans::add_merged(RankInterval ranks, std::span<const std::byte> encoded) {
  return Merge(*this, ranks, encoded).run();
}

}  // namespace shardmark
