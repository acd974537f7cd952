// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "shardmark/core/box.hpp"

namespace shardmark::testing {

/// Random numbers of one test. Every failure in its life names the seed; the environment variable
/// SHARDMARK_TEST_SEED repeats it.
class RandomSource {
 public:
  RandomSource()
      : seed_(choose_seed()),
        trace_(__FILE__, __LINE__, fmt::format("SHARDMARK_TEST_SEED={}", seed_)),
        engine_(seed_) {}

  /// From 0 to `below` - 1.
  std::int64_t number(std::int64_t below) {
    return std::uniform_int_distribution<std::int64_t>(0, below - 1)(engine_);
  }
  std::size_t index(std::size_t below) {
    return static_cast<std::size_t>(number(static_cast<std::int64_t>(below)));
  }
  bool one_in(std::int64_t n) { return number(n) == 0; }
  std::mt19937_64& engine() { return engine_; }
  std::vector<std::byte> bytes(std::size_t size) {
    std::vector<std::byte> bytes(size);
    for (std::size_t at = 0; at < size; at += 8) {
      const std::uint64_t word = engine_();
      std::memcpy(bytes.data() + at, &word, std::min<std::size_t>(8, size - at));
    }
    return bytes;
  }

  /// Extents from `least` to `most`.
  Dims sizes(int ndim, std::int64_t least, std::int64_t most) {
    Dims sizes = Dims::filled(ndim, 0);
    for (std::int64_t& size : sizes) {
      size = least + number(most - least + 1);
    }
    return sizes;
  }
  /// Cuts `box` in random places into disjoint boxes that fill it.
  void tile(const Box& box, int depth, std::vector<Box>& boxes) {
    const int d = box.ndim() == 0 ? 0 : static_cast<int>(number(box.ndim()));
    if (depth == 0 || box.ndim() == 0 || box.sizes[d] < 2) {
      boxes.push_back(box);
      return;
    }
    const std::int64_t at = 1 + number(box.sizes[d] - 1);
    Box low = box;
    Box high = box;
    low.sizes[d] = at;
    high.offsets[d] += at;
    high.sizes[d] -= at;
    tile(low, depth - 1, boxes);
    tile(high, depth - 1, boxes);
  }
  std::vector<Box> tiling(const Dims& sizes, int depth) {
    std::vector<Box> boxes;
    tile(whole_box(sizes), depth, boxes);
    return boxes;
  }

 private:
  static std::uint64_t choose_seed() {
    const char* text = std::getenv("SHARDMARK_TEST_SEED");
    return text != nullptr ? std::strtoull(text, nullptr, 10) : std::random_device()();
  }

  std::uint64_t seed_;
  ::testing::ScopedTrace trace_;
  std::mt19937_64 engine_;
};

}  // namespace shardmark::testing
