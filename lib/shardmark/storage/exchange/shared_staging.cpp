// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/exchange/shared_staging.hpp"

#include <algorithm>
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

// No two slots' words in one line of the cache, nor its neighbour.
constexpr std::int64_t cache_line_bytes = 128;

std::size_t bitmap_words(const SharedStaging::Shape& shape) {
  return static_cast<std::size_t>(
      round_up(shape.slot_bytes / SharedStaging::block_bytes, std::int64_t{64}) / 64);
}

}  // namespace

SharedStaging::Shape SharedStaging::shape_for(int num_ranks, std::int64_t file_bytes,
                                              std::int64_t budget,
                                              std::int64_t largest_slot) noexcept {
  if (budget == 0) {
    budget = std::min(staging_bytes_a_rank * num_ranks, most_staging_bytes);
  }
  const std::int64_t wanted =
      std::min(budget / least_slots, file_bytes / (regions_a_rank * num_ranks));
  const std::int64_t slot = std::clamp(round_down(wanted, slot_unit), slot_unit, largest_slot);
  return {num_ranks, static_cast<int>(std::max(budget / slot, least_slots)), slot};
}

void SharedStaging::limit_slots(Shape& shape, std::size_t num_regions) noexcept {
  const auto regions = static_cast<std::int64_t>(num_regions);
  shape.num_slots =
      static_cast<int>(std::min<std::int64_t>(shape.num_slots, std::max(regions, least_slots)));
}

std::int64_t SharedStaging::slot_control_bytes(const Shape& shape) noexcept {
  return round_up(static_cast<std::int64_t>(sizeof(Slot)), cache_line_bytes) +
         round_up(static_cast<std::int64_t>(2 * 8 * bitmap_words(shape)), cache_line_bytes);
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
    for (const auto bits : {staging.wanted(number), staging.read(number)}) {
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
