// SPDX-License-Identifier: Apache-2.0
// What a plan would leave on disk: files by layout, and why.
#include "bench/cli/commands/planned_files.hpp"

#include <gtest/gtest.h>

#include "shardmark/plan/tables/chunk_table.hpp"
#include "shardmark/plan/tables/entry_table.hpp"

namespace shardmark::bench {
namespace {

struct TwoTensors {
  EntryTable entries;
  GlobalSavePlan plan;

  TwoTensors() {
    for (const char* fqn : {"a", "b"}) {
      entries.entries.push_back({.fqn = fqn,
                                 .kind = EntryKind::tensor,
                                 .dtype = Dtype::float32,
                                 .sizes = {8, 4},
                                 .first_chunk = entries.num_chunks(),
                                 .num_chunks = 2});
      plan.chunks.append({{0, 0}, {4, 4}});
      plan.chunks.append({{4, 0}, {4, 4}});
    }
    plan.owners = {0, 1, 0, 1};
    plan.statistics.rank_bytes = {128, 128};
    plan.statistics.num_bytes = 256;
  }
};

TEST(PlannedFiles, CountsFilesByLayoutAndAReasonForEachTensor) {
  TwoTensors two;
  StorageOptions options;
  options.layout = FileLayout::shared;
  const PlannedFiles shared = plan_files(options, two.entries, two.plan, 2);
  EXPECT_EQ(shared.files, 1);
  EXPECT_EQ(shared.layout, "shared");
  EXPECT_EQ(shared.checksum_bytes, 8 * 4);
  options.layout = FileLayout::per_rank;
  const PlannedFiles apart = plan_files(options, two.entries, two.plan, 2);
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

TEST(PlannedFiles, OtherBackEndsMakeTheirOwn) {
  TwoTensors two;
  StorageOptions options;
  options.layout = FileLayout::shared;  // of HDF5's
  options.backend = Backend::posix;
  const PlannedFiles posix = plan_files(options, two.entries, two.plan, 2);
  EXPECT_EQ(posix.files, 3);
  EXPECT_EQ(posix.layout, "per-rank");
  options.checksum = ChecksumKind::none;
  EXPECT_EQ(plan_files(options, two.entries, two.plan, 2).checksum_bytes, 0);
  for (const Backend backend : {Backend::posix_shared, Backend::mpiio}) {
    options.backend = backend;
    const PlannedFiles shared = plan_files(options, two.entries, two.plan, 2);
    EXPECT_EQ(shared.files, 1);
    EXPECT_EQ(shared.layout, "shared");
    EXPECT_LT(shared.metadata_bytes, posix.metadata_bytes) << "no names of more files";
  }
  options.backend = Backend::null;
  const PlannedFiles none = plan_files(options, two.entries, two.plan, 2);
  EXPECT_EQ(none.files + none.metadata_bytes + none.checksum_bytes, 0);
  EXPECT_EQ(none.layout, "none");
}

}  // namespace
}  // namespace shardmark::bench
