// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/exchange/region_input.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace shardmark {
namespace {

// Below this, whole blocks would be a good part of a request.
constexpr std::int64_t least_past_cache_bytes = std::int64_t{64} << 10;
constexpr std::int64_t bitmap_word_bits = 64;
// Gaps may be this part of what is wanted of a region.
constexpr std::int64_t gap_share = 5;

/// Calls `take(word, mask)` for the words that bits [first, end) lie in.
template <typename Take>
void for_each_word(std::int64_t first, std::int64_t end, const Take& take) {
  while (first < end) {
    const std::int64_t in_word = first % bitmap_word_bits;
    const std::int64_t count = std::min(bitmap_word_bits - in_word, end - first);
    const std::uint64_t ones = count == bitmap_word_bits ? ~0ULL : (1ULL << count) - 1;
    take(static_cast<std::size_t>(first / bitmap_word_bits), ones << in_word);
    first += count;
  }
}

}  // namespace

void mark_blocks(BlockBits bits, std::int64_t first, std::int64_t end) {
  for_each_word(first, end, [&](std::size_t word, std::uint64_t mask) {
    // Rows of one block after another ask for the same bit again and again.
    if ((bits[word].load(std::memory_order_relaxed) & mask) != mask) {
      bits[word].fetch_or(mask, std::memory_order_relaxed);
    }
  });
}

bool all_marked(BlockBits bits, std::int64_t first, std::int64_t end) {
  bool all = true;
  for_each_word(first, end, [&](std::size_t word, std::uint64_t mask) {
    all = all && (bits[word].load(std::memory_order_relaxed) & mask) == mask;
  });
  return all;
}

std::vector<ByteRange> marked_stretches(BlockBits bits, std::int64_t max_gap,
                                        std::int64_t& gap_bytes) {
  constexpr std::int64_t block = SharedStaging::block_bytes;
  std::vector<ByteRange> list;
  const auto count = static_cast<std::int64_t>(bits.size()) * bitmap_word_bits;
  for (std::int64_t i = 0; i < count;) {
    const std::uint64_t word =
        bits[static_cast<std::size_t>(i / bitmap_word_bits)].load(std::memory_order_relaxed);
    if (word == 0) {
      i = (i / bitmap_word_bits + 1) * bitmap_word_bits;
      continue;
    }
    if ((word >> (i % bitmap_word_bits) & 1U) != 0) {
      const ByteRange found{i * block, (i + 1) * block};
      if (!list.empty() && found.begin - list.back().end <= max_gap) {
        gap_bytes += found.begin - list.back().end;
        list.back().end = found.end;
      } else {
        list.push_back(found);
      }
    }
    ++i;
  }
  return list;
}

Status RegionInput::read(std::size_t number) {
  constexpr std::int64_t block = SharedStaging::block_bytes;
  const ReadRegion& region = regions_[number];
  const RawFile& file = *open_files_[region.file];
  const int slot_number = staging_.slot_of(number);
  std::int64_t gap_bytes = 0;
  std::int64_t asked = 0;
  auto ranges = marked_stretches(staging_.wanted(slot_number), sieve_gap_, gap_bytes);
  if (gap_bytes > staging_.slot(slot_number).wanted_bytes.load() / gap_share) {
    gap_bytes = 0;  // nobody wants most of it
    ranges = marked_stretches(staging_.wanted(slot_number), 0, gap_bytes);
  }
  for (const ByteRange& range : ranges) {
    const bool past_cache = file.o_direct() && range.num_bytes() >= least_past_cache_bytes;
    const std::int64_t offset = region.bytes.begin + range.begin;
    SHARDMARK_ASSIGN_OR_RETURN(const std::int64_t got,
                               file.read({staging_.bytes(slot_number) + range.begin,
                                          static_cast<std::size_t>(range.num_bytes())},
                                         offset, past_cache));
    if (offset + got < std::min(region.bytes.end, offset + range.num_bytes())) {
      return Error{ErrorCode::data_loss,
                   fmt::format("{} ends at byte {}, {} were expected", file.path(), offset + got,
                               std::min(region.bytes.end, offset + range.num_bytes()))};
    }
    mark_blocks(staging_.read(slot_number), range.begin / block, range.end / block);
    asked += range.num_bytes();
    const std::lock_guard lock(mutex_);
    own_.bytes_o_direct += past_cache ? range.num_bytes() : 0;
    own_.add(range.num_bytes());
  }
  // Rounding to blocks does not count as asked for: exact where no two want the same.
  const std::int64_t exact =
      std::min(asked, staging_.slot(slot_number).wanted_bytes.load() + gap_bytes);
  const std::lock_guard lock(mutex_);
  own_.bytes_read -= asked - exact;
  return {};
}

void RegionInput::note(const Status& status) {
  if (status) {
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    failed_ = failed_ ? status : failed_;
  }
  staging_.fail();
}

void RegionInput::add_to(ReadCounters& counters) const {
  const std::lock_guard lock(mutex_);
  counters.merge(own_);
  counters.bytes_o_direct += own_.bytes_o_direct;
}

Status RegionInput::status() const {
  const std::lock_guard lock(mutex_);
  return failed_;
}

}  // namespace shardmark
