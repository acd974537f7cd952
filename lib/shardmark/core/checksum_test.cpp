// SPDX-License-Identifier: Apache-2.0
// XXH3-64 by its published values; the same of any strides and any pieces.
#include "shardmark/core/checksum.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace shardmark {
namespace {

std::vector<std::byte> some_bytes(std::size_t count) {
  std::vector<std::byte> bytes(count);
  std::uint32_t state = 2654435761U;
  for (std::byte& byte : bytes) {
    byte = static_cast<std::byte>(state >> 24);
    state *= 2246822519U;
    state += 374761393U;
  }
  return bytes;
}

TEST(Checksum, PublishedValues) {
  EXPECT_EQ(xxh3(std::span<const std::byte>()), 0x2D06800538D394C2ULL);  // of nothing, seed 0
  EXPECT_EQ(fnv1a(""), 0xCBF29CE484222325ULL);
  EXPECT_EQ(fnv1a("a"), 0xAF63DC4C8601EC8CULL);
  EXPECT_EQ(fnv1a("foobar"), 0x85944171F73967E8ULL);
}

TEST(Checksum, PiecesGiveWhatTheWholeGives) {
  const auto bytes = some_bytes(10'007);
  for (const std::size_t piece : {1U, 63U, 64U, 1000U, 20'000U}) {
    StreamingChecksum stream;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      stream.update(std::span(bytes).subspan(at, std::min(piece, bytes.size() - at)));
    }
    EXPECT_EQ(stream.digest(), xxh3(bytes)) << piece;
  }
}

TEST(Checksum, StridesDoNotMatterOnlyElementsInOrder) {
  const auto bytes = some_bytes(4 * 30 * 40);
  for (const Dims& strides : {Dims{40, 1}, Dims{1, 30}, Dims{80, 2}}) {
    const Dims sizes = strides[0] == 80 ? Dims{15, 20} : Dims{30, 40};
    std::vector<std::byte> gathered;
    for (std::int64_t i = 0; i < sizes[0]; ++i) {
      for (std::int64_t j = 0; j < sizes[1]; ++j) {
        const auto* const element = bytes.data() + 4 * (i * strides[0] + j * strides[1]);
        gathered.insert(gathered.end(), element, element + 4);
      }
    }
    EXPECT_EQ(xxh3(ConstTensorView{bytes.data(), Dtype::float32, sizes, strides}), xxh3(gathered))
        << to_string(strides);
  }
}

}  // namespace
}  // namespace shardmark
