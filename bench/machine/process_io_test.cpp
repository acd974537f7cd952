// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <optional>

#include "bench/machine/process_io.hpp"

namespace shardmark::bench {
namespace {

TEST(ProcessIo, ReadsTheTwoLinesOfStorage) {
  const auto io = parse_process_io(
      "rchar: 1\nwchar: 2\nread_bytes: 4096\nwrite_bytes: 8192\ncancelled_write_bytes: 7\n");
  ASSERT_TRUE(io);
  EXPECT_EQ(io->read_bytes, 4096);
  EXPECT_EQ(io->write_bytes, 8192);
  EXPECT_FALSE(parse_process_io("rchar: 1\ncancelled_write_bytes: 7\n"));
  EXPECT_FALSE(difference(io, std::nullopt));
  EXPECT_EQ(difference(io, ProcessIo{96, 192})->write_bytes, 8000);
}

}  // namespace
}  // namespace shardmark::bench
