// SPDX-License-Identifier: Apache-2.0
#include "shardmark/checkpoint/staging_memory.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "shardmark/storage/mpiio/run_gatherer.hpp"

namespace shardmark {
namespace {

TEST(StagingMemory, TasksSeeCopiesOfWhatTheyWereAndTheOriginalsAreFree) {
  std::vector<std::int32_t> elements(6 << 20);
  for (std::size_t i = 0; i < elements.size(); ++i) {
    elements[i] = static_cast<std::int32_t>(i);
  }
  const auto* data = reinterpret_cast<const std::byte*>(elements.data());
  const Dims whole{2 << 20, 3};
  const ConstTensorView rows = contiguous_view(data, Dtype::int32, whole);
  ConstTensorView transposed = rows;
  std::swap(transposed.sizes[0], transposed.sizes[1]);
  std::swap(transposed.strides[0], transposed.strides[1]);
  for (const int threads : {1, 3}) {
    std::vector<WriteTask> tasks = {{nullptr, rows},
                                    {nullptr, transposed},
                                    {nullptr, rows.subview({{5, 1}, {7, 2}})},
                                    {nullptr, contiguous_view(data, Dtype::int32, Dims{0, 4})}};
    StagingMemory memory;
    ASSERT_TRUE(memory.reserve(staged_size(tasks)));
    EXPECT_GE(memory.size(), 2 * 24 * (1 << 20));
    memory.stage(tasks, threads);
    const auto at = [&](std::size_t task, std::size_t i) {
      std::int32_t value = 0;
      std::memcpy(&value, tasks[task].elements.data + 4 * i, 4);
      return value;
    };
    for (std::size_t i = 0; i < elements.size(); i += 1001) {
      ASSERT_EQ(at(0, i), static_cast<std::int32_t>(i));
      ASSERT_EQ(at(1, i), static_cast<std::int32_t>(3 * (i % (2 << 20)) + i / (2 << 20)));
    }
    EXPECT_EQ(at(2, 0), 16);
    EXPECT_EQ(at(2, 3), 20);
    for (const WriteTask& task : tasks) {
      EXPECT_TRUE(task.elements.is_contiguous());
      EXPECT_TRUE(task.elements.data < data || task.elements.data >= data + 24 * (1 << 20));
    }
  }
}

TEST(RunGatherer, NeighboursGoTogetherAndLongRunsAsTheyAre) {
  struct Write {
    std::int64_t offset;
    std::size_t size;
  };
  std::vector<Write> writes;
  RunGatherer gatherer([&](std::span<const std::byte> bytes, std::int64_t offset) {
    writes.push_back({offset, bytes.size()});
    return Status();
  });
  const std::vector<std::byte> memory(2 << 20);
  const auto run = [&](std::size_t size) { return std::span(memory).first(size); };
  ASSERT_TRUE(gatherer.put(run(100), 0));
  ASSERT_TRUE(gatherer.put(run(50), 100));
  ASSERT_TRUE(gatherer.put(run(7), 200));        // a gap before it
  ASSERT_TRUE(gatherer.put(run(2 << 20), 207));  // long: as it is
  ASSERT_TRUE(gatherer.put(run(3), 207 + (2 << 20)));
  ASSERT_TRUE(gatherer.finish());
  ASSERT_EQ(writes.size(), 4U);
  EXPECT_EQ(writes[0].size, 150U);
  EXPECT_EQ(writes[1].offset, 200);
  EXPECT_EQ(writes[2].size, std::size_t{2} << 20);
  EXPECT_EQ(writes[3].offset, 207 + (2 << 20));
  EXPECT_EQ(gatherer.bytes_staged(), 160);
}

}  // namespace
}  // namespace shardmark
