// SPDX-License-Identifier: Apache-2.0
// What a plan would leave on disk: files by layout, and why.
#include "bench/cli/commands/planned_files.hpp"

#include <gtest/gtest.h>

#include "shardmark/plan/tables/chunk_table.hpp"
#include "shardmark/plan/tables/entry_table.hpp"

namespace shardmark::bench {
namespace {

TEST(PlannedFiles, CountsFilesByLayoutAndAReasonForEachTensor) {
  EntryTable entries;
  ChunkTable chunks;
  for (const char* fqn : {"a", "b"}) {
    entries.entries.push_back({.fqn = fqn,
                               .kind = EntryKind::tensor,
                               .dtype = Dtype::float32,
                               .sizes = {8, 4},
                               .first_chunk = entries.num_chunks(),
                               .num_chunks = 2});
    chunks.append({{0, 0}, {4, 4}});
    chunks.append({{4, 0}, {4, 4}});
  }
  StorageOptions options;
  options.layout = FileLayout::shared;
  const PlannedFiles shared = plan_files(options, entries, chunks, 2);
  EXPECT_EQ(shared.files, 1);
  EXPECT_EQ(shared.layout, "shared");
  options.layout = FileLayout::per_rank;
  const PlannedFiles apart = plan_files(options, entries, chunks, 2);
  EXPECT_EQ(apart.files, 3) << "one a rank, and the entry file";
  EXPECT_EQ(apart.layout, "per-rank");
  EXPECT_GT(apart.metadata_bytes, shared.metadata_bytes) << "an address for each chunk";
  for (const PlannedFiles* planned : {&shared, &apart}) {
    std::int64_t tensors = 0;
    for (const auto& [reason, count] : planned->reasons) {
      tensors += count;
    }
    EXPECT_EQ(tensors, 2);
  }
}

}  // namespace
}  // namespace shardmark::bench
