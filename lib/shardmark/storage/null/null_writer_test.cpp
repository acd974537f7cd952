// SPDX-License-Identifier: Apache-2.0
// What is discarded is counted and, where checksums are wanted, hashed.
#include "shardmark/storage/null/null_writer.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

#include "shardmark/profile/phase_times.hpp"

namespace shardmark {
namespace {

TEST(NullWriter, CountsBytesAndHashesByTheirStrides) {
  const std::vector<std::byte> memory(4 * 6 * 4);
  const ConstTensorView rows =
      contiguous_view<const std::byte>(memory.data(), Dtype::int32, {4, 6});
  ConstTensorView columns = rows;
  columns.sizes = {6, 4};
  columns.strides = {1, 6};
  const std::vector<WriteTask> tasks = {{.elements = rows}, {.elements = columns}};
  PhaseClock clock(Phase::write);
  for (const ChecksumKind kind : {ChecksumKind::xxh3, ChecksumKind::none}) {
    NullWriter writer(kind, clock);
    ASSERT_TRUE(writer.write(tasks));
    EXPECT_EQ(writer.counters().bytes_written, 2 * 96);
    EXPECT_EQ(writer.counters().write_requests, 2);
    const std::int64_t hashed = kind == ChecksumKind::xxh3 ? 96 : 0;
    EXPECT_EQ(writer.counters().hashed_contiguous.num_bytes, hashed);
    EXPECT_EQ(writer.counters().hashed_strided.num_bytes, hashed);
  }
}

}  // namespace
}  // namespace shardmark
