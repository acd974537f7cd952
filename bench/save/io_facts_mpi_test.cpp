// SPDX-License-Identifier: Apache-2.0
// Deliberately bad ways to write, and what is said of them.
#include "bench/save/io_facts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "shardmark/checkpoint/inspect.hpp"
#include "shardmark/checkpoint/save.hpp"
#include "shardmark/storage/format/commit_record.hpp"
#include "shardmark/storage/hdf5/library/datatype.hpp"
#include "shardmark/storage/hdf5/library/hdf5_call.hpp"
#include "shardmark/storage/hdf5/library/parallel_file.hpp"
#include "shardmark/testing/filled_state.hpp"
#include "shardmark/testing/mpi_world.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark::bench {
namespace {

using ::testing::HasSubstr;

using shardmark::testing::world;

/// Saves two tensors, rows and columns, in one file.
SaveReport saved(const std::string& directory, const Dims& sizes, std::int64_t alignment) {
  testing::FilledState state(world());
  const Dims mesh{world().size()};
  state.add("rows", sizes, {Placement::shard(0)}, mesh);
  state.add("columns", sizes, {Placement::shard(1)}, mesh);
  state.fill();
  SaveOptions options;
  options.directory = directory;
  options.step = 1;
  options.storage.layout = FileLayout::shared;
  options.storage.io = IoMode::collective;
  options.storage.alignment = alignment;
  options.storage.allow_padding = true;
  const auto report = save(state.state, options, world());
  EXPECT_TRUE(report) << report.error().message;
  return report ? *report : SaveReport();
}

IoFacts facts_of(const std::string& directory) {
  IoFacts facts;
  const auto summary = inspect_checkpoint(directory, 1);
  EXPECT_TRUE(summary) << summary.error().message;
  count_pieces(summary->manifest, facts);
  return facts;
}

bool has_cause(const std::vector<IoExplanation>& found, const std::string& cause) {
  return std::ranges::any_of(found, [&](const auto& each) { return each.cause == cause; });
}

TEST(IoFactsOfASave, ColumnsAreTinyPiecesAndUnalignedStartsAreCounted) {
  const testing::TemporaryDirectory directory(world());
  const Dims sizes{64, 4 * world().size()};
  const SaveReport report = saved(directory.path() + "/c", sizes, 1);
  EXPECT_TRUE(gather_broken(report, world()).empty());
  EXPECT_EQ(io_mode_records("collective", report, {}).front().actual, "collective");
  EXPECT_GT(world().all_reduce(report.metadata_calls, MPI_SUM), 0);
  if (!world().is_root()) {
    return;
  }
  const IoFacts facts = facts_of(directory.path() + "/c");
  const std::int64_t ranks = world().size();
  EXPECT_EQ(facts.shares, 2 * ranks);
  EXPECT_EQ(facts.pieces, ranks + (ranks == 1 ? 1 : 64 * ranks));
  EXPECT_EQ(facts.small_piece_bytes, facts.num_bytes);
  EXPECT_GE(facts.misaligned_shares, ranks);
  const auto found = explain(facts);
  EXPECT_TRUE(has_cause(found, "tiny-pieces"));
  EXPECT_TRUE(has_cause(found, "misaligned"));
}

TEST(IoFactsOfASave, LargeAlignedRowsNeedNoExplanation) {
  const testing::TemporaryDirectory directory(world());
  testing::FilledState state(world());
  state.add("rows", {world().size(), 1 << 18}, {Placement::shard(0)}, {world().size()});
  state.fill();
  SaveOptions options;
  options.directory = directory.path() + "/c";
  options.step = 1;
  options.storage.alignment = 1 << 20;
  options.storage.allow_padding = true;
  ASSERT_TRUE(save(state.state, options, world()));
  if (world().is_root()) {
    EXPECT_TRUE(explain(facts_of(options.directory)).empty());
  }
}

/// Reads the tensor "rows" collectively, with HDF5 converting on ranks for which `converts` holds.
SaveReport read_converting(const std::string& step, const Dims& sizes, bool converts) {
  SaveReport report;
  report.fqns = {"columns", "rows"};
  auto file = ParallelFile::open(step + "/" + entry_file_name, ParallelFile::Access::read,
                                 IoMode::collective, {}, world());
  EXPECT_TRUE(file);
  {
    const auto dataset = file->open_dataset("/tensors/rows");
    EXPECT_TRUE(dataset);
    const Dtype dtype = converts ? Dtype::float64 : Dtype::int32;
    const auto type = hdf5_type(dtype);
    const Box box{{world().rank() * 64 / world().size(), 0}, {1, sizes[1]}};
    std::vector<std::byte> elements(static_cast<std::size_t>(sizes[1] * element_size(dtype)));
    EXPECT_TRUE(file->read(*dataset, *type, box,
                           contiguous_view(elements.data(), dtype, Dims{1, sizes[1]})));
    if (file->last_any_cause() != 0) {
      report.counters.broken[1] = {file->last_own_cause(), file->last_any_cause()};
    }
  }
  EXPECT_TRUE(file->close());
  return report;
}

TEST(IoFactsOfASave, ConversionIsNamedAndOneRankThatBreaksItIsFound) {
  const testing::TemporaryDirectory directory(world());
  const Dims sizes{64, 32};
  const SaveReport written = saved(directory.path() + "/c", sizes, 1);
  std::string step = written.path;
  const int last = world().size() - 1;
  const SaveReport one = read_converting(step, sizes, world().rank() == last);
  IoFacts facts;
  facts.broken = gather_broken(one, world());
  if (facts.broken.empty() && !hdf5_library_version().starts_with("1.10.")) {
    GTEST_SKIP() << "HDF5 " << hdf5_library_version() << " converts within a collective transfer";
  }
  ASSERT_EQ(facts.broken.size(), 1U);
  EXPECT_EQ(facts.broken[0].fqns, std::vector<std::string>{"rows"});
  EXPECT_EQ(facts.broken[0].ranks, world().size() == 1 ? std::vector<int>() : std::vector{last});
  const auto found = explain(facts);
  ASSERT_TRUE(has_cause(found, "type-conversion"));
  EXPECT_THAT(found.front().text,
              HasSubstr(world().size() == 1 ? "on all ranks" : "by rank " + std::to_string(last)));
  const auto records = io_mode_records("collective", one, facts.broken);
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].actual, "independent");
  EXPECT_THAT(records[0].reason, HasSubstr("datatype conversion"));
  EXPECT_EQ(records[1].fqns, std::vector<std::string>{"columns"});
  // Everybody's fault is nobody's in particular.
  const auto all = gather_broken(read_converting(step, sizes, true), world());
  ASSERT_EQ(all.size(), 1U);
  EXPECT_TRUE(all[0].ranks.empty());
}

}  // namespace
}  // namespace shardmark::bench
