// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/exchange/shared_staging.hpp"

#include <algorithm>
#include <bit>
#include <new>

#include "shardmark/core/rounding.hpp"

namespace shardmark {
namespace {

constexpr std::int64_t slot_unit = std::int64_t{1} << 20;
constexpr std::int64_t staging_bytes_a_rank = std::int64_t{64} << 20;
constexpr std::int64_t most_staging_bytes = std::int64_t{512} << 20;
// One fills while the other is written, or is read while the other is copied out.
constexpr std::int64_t least_slots = 2;
constexpr std::int64_t regions_a_rank = 4;
constexpr std::int64_t bits_a_byte = 8;
constexpr std::int64_t bits_a_word = 64;

// No two slots' words in one line of the cache, nor its neighbour.
constexpr std::int64_t cache_line_bytes = 128;

std::size_t bitmap_words(const SharedStaging::Shape& shape) {
  return static_cast<std::size_t>(
      round_up(shape.slot_bytes / SharedStaging::block_bytes, std::int64_t{64}) / 64);
}

}  // namespace

std::int64_t SharedStaging::default_bytes(int num_ranks) noexcept {
  return std::min(staging_bytes_a_rank * num_ranks, most_staging_bytes);
}

SharedStaging::Shape SharedStaging::shape_for(int num_ranks, std::int64_t file_bytes,
                                              std::int64_t budget,
                                              std::int64_t largest_slot) noexcept {
  if (budget == 0) {
    budget = default_bytes(num_ranks);
  }
  const std::int64_t wanted =
      std::min(budget / least_slots, file_bytes / (regions_a_rank * num_ranks));
  const std::int64_t slot =
      std::min(std::max(round_down(wanted, slot_unit), slot_unit), largest_slot);
  return {num_ranks, static_cast<int>(std::max(budget / slot, least_slots)), slot};
}

SharedStaging::Shape SharedStaging::shape_of_slots(int num_ranks, std::int64_t slot_bytes,
                                                   std::int64_t budget) noexcept {
  if (budget == 0) {
    budget = default_bytes(num_ranks);
  }
  const std::int64_t with_places = slot_bytes + slot_bytes / bits_a_byte;
  return {num_ranks, static_cast<int>(std::max(budget / with_places, least_slots)), slot_bytes,
          true};
}

void SharedStaging::limit_slots(Shape& shape, std::size_t num_regions) noexcept {
  const auto regions = static_cast<std::int64_t>(num_regions);
  shape.num_slots =
      static_cast<int>(std::min<std::int64_t>(shape.num_slots, std::max(regions, least_slots)));
}

std::int64_t SharedStaging::slot_control_bytes(const Shape& shape) noexcept {
  return round_up(static_cast<std::int64_t>(sizeof(Slot)), cache_line_bytes) +
         round_up(static_cast<std::int64_t>(2 * 8 * bitmap_words(shape)), cache_line_bytes) +
         (shape.knows_places ? round_up(shape.slot_bytes / bits_a_byte, cache_line_bytes) : 0);
}

std::int64_t SharedStaging::control_bytes(const Shape& shape) noexcept {
  return round_up(cache_line_bytes + shape.num_slots * slot_control_bytes(shape), block_bytes);
}

std::int64_t SharedStaging::num_bytes(const Shape& shape) noexcept {
  return control_bytes(shape) + shape.num_slots * shape.slot_bytes;
}

void SharedStaging::prepare(std::span<std::byte> memory, const Shape& shape) noexcept {
  static_assert(sizeof(Header) <= cache_line_bytes);
  new (memory.data()) Header();
  const SharedStaging staging(memory, shape);
  for (int number = 0; number < shape.num_slots; ++number) {
    new (staging.control(number)) Slot();
    for (const auto bits : {staging.wanted(number), staging.read(number), staging.places(number)}) {
      for (std::atomic<std::uint64_t>& word : bits) {
        new (&word) std::atomic<std::uint64_t>(0);
      }
    }
  }
}

std::byte* SharedStaging::control(int number) const noexcept {
  return memory_.data() + cache_line_bytes + number * slot_control_bytes(shape_);
}

SharedStaging::Header& SharedStaging::header() const noexcept {
  return *std::launder(reinterpret_cast<Header*>(memory_.data()));
}

SharedStaging::Slot& SharedStaging::slot(int number) const noexcept {
  return *std::launder(reinterpret_cast<Slot*>(control(number)));
}

std::byte* SharedStaging::bytes(int number) const noexcept {
  return memory_.data() + control_bytes(shape_) + number * shape_.slot_bytes;
}

std::span<std::atomic<std::uint64_t>> SharedStaging::wanted(int number) const noexcept {
  auto* const words = reinterpret_cast<std::atomic<std::uint64_t>*>(
      control(number) + round_up(static_cast<std::int64_t>(sizeof(Slot)), cache_line_bytes));
  return {words, bitmap_words(shape_)};
}

std::span<std::atomic<std::uint64_t>> SharedStaging::read(int number) const noexcept {
  const auto wanted_words = wanted(number);
  return {wanted_words.data() + wanted_words.size(), wanted_words.size()};
}

std::span<std::atomic<std::uint64_t>> SharedStaging::places(int number) const noexcept {
  if (!shape_.knows_places) {
    return {};
  }
  auto* const words = reinterpret_cast<std::atomic<std::uint64_t>*>(
      control(number) + slot_control_bytes(shape_) -
      round_up(shape_.slot_bytes / bits_a_byte, cache_line_bytes));
  return {words, static_cast<std::size_t>(shape_.slot_bytes / bits_a_word)};
}

void SharedStaging::mark_place(int number, std::int64_t begin, std::int64_t end) const noexcept {
  const auto words = places(number);
  while (begin < end) {
    const std::int64_t in_word = begin % bits_a_word;
    const std::int64_t count = std::min(bits_a_word - in_word, end - begin);
    std::atomic<std::uint64_t>& word = words[static_cast<std::size_t>(begin / bits_a_word)];
    if (count == bits_a_word) {
      word.store(~0ULL, std::memory_order_relaxed);  // nobody else has a byte here
    } else {
      word.fetch_or(((1ULL << count) - 1) << in_word, std::memory_order_relaxed);
    }
    begin += count;
  }
}

std::vector<ByteRange> SharedStaging::put_ranges(int number) const {
  std::vector<ByteRange> ranges;
  const auto words = places(number);
  for (std::size_t w = 0; w < words.size(); ++w) {
    const std::int64_t base = static_cast<std::int64_t>(w) * bits_a_word;
    std::uint64_t word = words[w].load(std::memory_order_relaxed);
    std::int64_t at = 0;
    while (word != 0) {
      const int zeros = std::countr_zero(word);
      word >>= zeros;
      at += zeros;
      const int ones = std::countr_one(word);
      word = ones == bits_a_word ? 0 : word >> ones;
      if (!ranges.empty() && ranges.back().end == base + at) {
        ranges.back().end += ones;
      } else {
        ranges.push_back({base + at, base + at + ones});
      }
      at += ones;
    }
  }
  return ranges;
}

void SharedStaging::forget_places(int number) const noexcept {
  for (std::atomic<std::uint64_t>& word : places(number)) {
    word.store(0, std::memory_order_relaxed);
  }
}

void SharedStaging::fail() const noexcept {
  header().failed.store(1);
  for (int number = 0; number < shape_.num_slots; ++number) {
    Slot& each = slot(number);
    for (SharedWord* word : {&each.round, &each.filled, &each.ready, &each.done}) {
      word->wake();
    }
  }
}

bool SharedStaging::failed() const noexcept {
  return header().failed.load() != 0;
}

}  // namespace shardmark
