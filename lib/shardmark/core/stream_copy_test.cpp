// SPDX-License-Identifier: Apache-2.0
#include "shardmark/core/stream_copy.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <vector>

namespace shardmark {
namespace {

std::vector<std::byte> pattern(std::size_t size, unsigned first) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = std::byte(static_cast<unsigned char>(first + i * 31 + i / 251));
  }
  return bytes;
}

/// Whatever the alignment of either end, all of it and nothing beside it.
TEST(StreamCopy, IsMemcpyAtEveryAlignmentAndLength) {
  const std::vector<std::byte> source = pattern(20'000, 1);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{63}, std::size_t{4095},
                                 std::size_t{4096}, std::size_t{4097}, std::size_t{12'345}}) {
    for (std::size_t from = 0; from < 70; from += 23) {
      for (std::size_t to = 0; to < 70; ++to) {
        std::vector<std::byte> target = pattern(20'000, 77);
        std::vector<std::byte> expected = target;
        std::memcpy(expected.data() + to, source.data() + from, size);
        stream_copy(std::span(target).subspan(to, size), std::span(source).subspan(from, size));
        ASSERT_EQ(target, expected) << size << " bytes from " << from << " to " << to;
      }
    }
  }
}

}  // namespace
}  // namespace shardmark
