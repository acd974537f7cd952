// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "shardmark/plan/tables/entry_table.hpp"

namespace shardmark {

/// The numbers of one entry's chunks among all chunks, ascending, for range-for.
class ChunkNumbers {
 public:
  explicit ChunkNumbers(const Entry& entry) noexcept
      : begin_{entry.first_chunk}, end_{entry.first_chunk + entry.num_chunks} {}

  class Iterator {
   public:
    explicit Iterator(std::uint64_t number) noexcept : number_(number) {}
    std::uint64_t operator*() const noexcept { return number_; }
    Iterator& operator++() noexcept {
      ++number_;
      return *this;
    }
    friend bool operator==(const Iterator&, const Iterator&) = default;

   private:
    std::uint64_t number_;
  };
  Iterator begin() const noexcept { return begin_; }
  Iterator end() const noexcept { return end_; }

 private:
  Iterator begin_;
  Iterator end_;
};

}  // namespace shardmark
