// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>

#include <vector>

#include "shardmark/core/checksum.hpp"
#include "shardmark/storage/posix/file.hpp"
#include "shardmark/storage/raw/stored_chunk.hpp"
#include "shardmark/testing/file_contents.hpp"
#include "shardmark/testing/random_source.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

using shardmark::testing::make_file;
using shardmark::testing::RandomSource;
using shardmark::testing::TemporaryDirectory;

/// The elements of a box, row after row, by index arithmetic alone.
std::vector<std::byte> elements_of(std::span<const std::byte> tensor, std::int64_t itemsize,
                                   const Dims& sizes, const Box& box) {
  std::vector<std::byte> elements;
  const int last = sizes.ndim() - 1;
  const std::int64_t row = last < 0 ? 1 : box.sizes[last];
  for (std::int64_t i = 0; i < box.num_elements() / row; ++i) {
    std::int64_t rest = i;
    std::int64_t linear = last < 0 ? 0 : box.offsets[last];
    std::int64_t stride = last < 0 ? 1 : sizes[last];
    for (int d = last - 1; d >= 0; --d) {
      linear += (box.offsets[d] + rest % box.sizes[d]) * stride;
      rest /= box.sizes[d];
      stride *= sizes[d];
    }
    const auto run = tensor.subspan(static_cast<std::size_t>(linear * itemsize),
                                    static_cast<std::size_t>(row * itemsize));
    elements.insert(elements.end(), run.begin(), run.end());
  }
  return elements;
}

TEST(StoredChunk, HashesEveryBoxAsTheBytesSay) {
  RandomSource random;
  const TemporaryDirectory directory;
  const auto bytes = random.bytes(40'000);
  const std::string path = make_file(directory, bytes);
  const auto file = open_file(path, O_RDONLY);
  StoredChunkHasher hasher;
  for (int round = 0; round < 300; ++round) {
    const Dims sizes = random.sizes(static_cast<int>(random.number(5)), 1, 8);
    const std::int64_t itemsize = std::int64_t{1} << random.number(3);
    const std::int64_t address = random.number(40'000 - 4096 * itemsize + 1);
    for (const Box& box : random.tiling(sizes, 3)) {
      const auto elements = elements_of(std::span(bytes).subspan(static_cast<std::size_t>(address)),
                                        itemsize, sizes, box);
      const auto hash = hasher.hash(*file, path, {0, address, Dims::filled(sizes.ndim(), 0), sizes},
                                    itemsize, box);
      ASSERT_TRUE(hash);
      ASSERT_EQ(*hash, xxh3(elements));
    }
  }
  EXPECT_EQ(hasher.hash(*file, path, {0, 39'999, {0}, {2}}, 4, whole_box({2})).error().code,
            ErrorCode::data_loss);
}

TEST(StoredChunk, HashesRowsFurtherApartThanAWindowAndRowsLongerThanOne) {
  RandomSource random;
  const TemporaryDirectory directory;
  // 96 KiB between rows: more than the gap that is read over. 5 MiB in one row: more than a window.
  const Dims sizes{110, 96 << 10};
  const auto bytes = random.bytes(static_cast<std::size_t>(volume(sizes)));
  const std::string path = make_file(directory, bytes);
  const auto file = open_file(path, O_RDONLY);
  StoredChunkHasher hasher;
  for (const Box& box : {Box{{0, 77}, {110, 3}}, Box{{3, 10}, {90, 60 << 10}},
                         Box{{20, 0}, {85, 96 << 10}}, Box{{109, 0}, {1, 96 << 10}}}) {
    const auto hash =
        hasher.hash(*file, path, {0, 0, Dims::filled(sizes.ndim(), 0), sizes}, 1, box);
    ASSERT_TRUE(hash);
    EXPECT_EQ(*hash, xxh3(elements_of(bytes, 1, sizes, box))) << to_string(box);
  }
}

}  // namespace
}  // namespace shardmark
