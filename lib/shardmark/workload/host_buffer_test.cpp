// SPDX-License-Identifier: Apache-2.0
// Element memory: where it begins, what it holds, and that too much of it is a message.
#include "shardmark/workload/host_buffer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace shardmark {
namespace {

TEST(HostBuffer, BeginsAtAHugePageAndIsThereBeforeItIsUsed) {
  const std::int64_t size = (std::int64_t{5} << 20) + 3;
  auto buffer = HostBuffer::make(size);
  ASSERT_TRUE(buffer) << buffer.error().message;
  const auto bytes = buffer->bytes();
  EXPECT_EQ(bytes.size(), static_cast<std::size_t>(size));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(bytes.data()) % (std::size_t{2} << 20), 0U);
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> resident((bytes.size() + page - 1) / page);
  ASSERT_EQ(::mincore(bytes.data(), bytes.size(), resident.data()), 0);
  EXPECT_TRUE(std::all_of(resident.begin(), resident.end(),
                          [](unsigned char state) { return (state & 1) != 0; }));
  EXPECT_TRUE(
      std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{}; }));
}

TEST(HostBuffer, MovesItsMappingAndLeavesNone) {
  HostBuffer first = HostBuffer::make(1000).value();
  std::byte* const memory = first.bytes().data();
  HostBuffer second = std::move(first);
  EXPECT_EQ(second.bytes().data(), memory);
  second = HostBuffer();
  EXPECT_EQ(second.bytes().size(), 0U);
}

TEST(HostBuffer, MoreThanTheMachineHasIsRefusedBeforeTheKernelGrantsIt) {
  const auto refused = HostBuffer::make(std::numeric_limits<std::int64_t>::max());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
  EXPECT_THAT(refused.error().message, ::testing::HasSubstr("model.scale"));
}

}  // namespace
}  // namespace shardmark
