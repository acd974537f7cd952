// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/format/file_arrangement.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "shardmark/storage/format/alignment.hpp"

namespace shardmark {
namespace {

using ::testing::ElementsAre;

struct Plan {
  EntryTable entries;
  ChunkTable chunks;

  void add(const std::string& fqn, Dtype dtype, const Dims& sizes, const std::vector<Box>& boxes,
           EntryKind kind = EntryKind::tensor) {
    entries.entries.push_back({fqn, kind, dtype, sizes, entries.num_chunks(), boxes.size()});
    for (const Box& box : boxes) {
      chunks.append(box);
    }
  }
  FileArrangement arrange(FileLayout layout, int groups = 1,
                          const std::vector<int>& nodes = {0, 0, 1, 1}) const {
    StorageOptions options;
    options.layout = layout;
    options.groups = groups;
    return arrange_files(options, entries, chunks, nodes);
  }
};

Plan mixed_plan() {
  Plan plan;
  constexpr std::int64_t n = 1024;
  plan.add("columns", Dtype::float32, {n, n}, {{{0, 0}, {n, n / 2}}, {{0, n / 2}, {n, n / 2}}});
  plan.add("empty", Dtype::float32, {0, 3}, {});
  plan.add("rows", Dtype::float32, {n, n}, {{{0, 0}, {n / 2, n}}, {{n / 2, 0}, {n / 2, n}}});
  plan.add("scalar", Dtype::float32, {}, {Box{}});
  plan.add("step", Dtype::uint8, {8}, {{{0}, {8}}}, EntryKind::object);
  return plan;
}

std::vector<EntryForm> forms(const FileArrangement& arrangement) {
  std::vector<EntryForm> list;
  for (const EntryArrangement& entry : arrangement.entries) {
    list.push_back(entry.form);
  }
  return list;
}

TEST(FileArrangement, EveryLayoutKeepsScalarsEmptyTensorsAndObjectsPlain) {
  const Plan plan = mixed_plan();
  constexpr auto plain = EntryForm::plain;
  const auto of = [&](FileLayout layout) { return forms(plan.arrange(layout)); };
  EXPECT_THAT(of(FileLayout::shared), ElementsAre(plain, plain, plain, plain, plain));
  EXPECT_THAT(of(FileLayout::shared_chunked),
              ElementsAre(EntryForm::hdf5_chunks, plain, EntryForm::hdf5_chunks, plain, plain));
  EXPECT_THAT(of(FileLayout::per_rank),
              ElementsAre(EntryForm::separate, plain, EntryForm::separate, plain, plain));
  EXPECT_THAT(of(FileLayout::packed), ElementsAre(plain, plain, plain, plain, plain));
  const FileArrangement chosen = plan.arrange(FileLayout::automatic);
  EXPECT_THAT(forms(chosen), ElementsAre(EntryForm::hdf5_chunks, plain, plain, plain, plain));
  EXPECT_EQ(chosen.layout, FileLayout::shared_chunked);
  EXPECT_EQ(chosen.entries[0].reason, LayoutReason::strided_chunks);
  EXPECT_EQ(chosen.entries[2].reason, LayoutReason::contiguous_chunks);
  EXPECT_EQ(chosen.entries[3].reason, LayoutReason::always_plain);
}

TEST(FileArrangement, NamesOneFileForEachRankNodeOrGroup) {
  const Plan plan = mixed_plan();
  EXPECT_THAT(plan.arrange(FileLayout::per_rank).file_of_rank, ElementsAre(1U, 2U, 3U, 4U));
  EXPECT_THAT(plan.arrange(FileLayout::per_node).files,
              ElementsAre("checkpoint.h5", "node-00000.h5", "node-00001.h5"));
  EXPECT_THAT(plan.arrange(FileLayout::groups, 2, {0, 0, 0, 0, 0}).file_of_rank,
              ElementsAre(1U, 1U, 1U, 2U, 2U));
  EXPECT_EQ(plan.arrange(FileLayout::groups, 9).files.size(), 5U);  // no more than ranks
  EXPECT_THAT(plan.arrange(FileLayout::packed).file_of_rank, ElementsAre(0U, 0U, 0U, 0U));
}

TEST(FileArrangement, TilesMustBeARegularGridThatPadsLittle) {
  const auto reason_of = [](Dtype dtype, const Dims& sizes, const std::vector<Box>& boxes) {
    Plan plan;
    plan.add("w", dtype, sizes, boxes);
    return check_regular_grid(plan.entries.entries.front(), plan.chunks);
  };
  using R = LayoutReason;
  EXPECT_EQ(reason_of(Dtype::int8, {10}, {{{0}, {4}}, {{4}, {4}}, {{8}, {2}}}),
            R::too_much_padding);
  EXPECT_EQ(reason_of(Dtype::int8, {42}, {{{0}, {22}}, {{22}, {20}}}), R::as_asked);
  EXPECT_EQ(reason_of(Dtype::int8, {10}, {{{0}, {4}}, {{4}, {6}}}), R::no_regular_grid);
  EXPECT_EQ(reason_of(Dtype::int8, {10}, {{{0}, {6}}, {{6}, {2}}, {{8}, {2}}}), R::no_regular_grid);
  constexpr std::int64_t gib = std::int64_t{1} << 30;
  EXPECT_EQ(reason_of(Dtype::int32, {2, gib}, {{{0, 0}, {1, gib}}, {{1, 0}, {1, gib}}}),
            R::chunk_too_large);
  EXPECT_EQ(reason_of(Dtype::int32, {2, gib - 1}, {{{0, 0}, {1, gib - 1}}, {{1, 0}, {1, gib - 1}}}),
            R::as_asked);
}

TEST(FileArrangement, AutoPacksOnlyStridedChunksWithoutAGrid) {
  Plan plan;
  plan.add("small", Dtype::float32, {100}, {{{0}, {50}}, {{50}, {50}}});
  plan.add("uneven", Dtype::float32, {4, 10}, {{{0, 0}, {4, 3}}, {{0, 3}, {4, 7}}});
  const FileArrangement chosen = plan.arrange(FileLayout::automatic);
  EXPECT_EQ(chosen.layout, FileLayout::packed);
  EXPECT_EQ(chosen.entries[0].form, EntryForm::plain);
  EXPECT_EQ(chosen.entries[1].form, EntryForm::packed);
  EXPECT_EQ(chosen.entries[1].reason, LayoutReason::no_regular_grid);
}

/// Row shards of `num_large` tensors of `rank_bytes` a rank, and `num_small` of one element, on
/// four ranks.
FileArrangement arrange_rows(std::int64_t num_large, std::int64_t rank_bytes, int num_small,
                             IoMode io = IoMode::direct, std::size_t world_size = 4) {
  Plan plan;
  for (std::int64_t i = 0; i < num_large; ++i) {
    std::vector<Box> boxes;
    for (std::int64_t rank = 0; rank < 4; ++rank) {
      boxes.push_back({{rank * rank_bytes}, {rank_bytes}});
    }
    plan.add("large", Dtype::int8, {4 * rank_bytes}, boxes);
  }
  for (int i = 0; i < num_small; ++i) {
    plan.add("small", Dtype::int8, {1}, {{{0}, {1}}});
  }
  StorageOptions options;
  options.layout = FileLayout::automatic;
  options.io = io;
  return arrange_files(options, plan.entries, plan.chunks, std::vector<int>(world_size, 0));
}

TEST(FileArrangement, AutoTakesAFileARankWhereVirtualDatasetsAreMadeBesideTheWrites) {
  constexpr std::int64_t mib = 1 << 20;
  const FileArrangement all = arrange_rows(1, 16 * mib, 600);
  EXPECT_EQ(all.layout, FileLayout::per_rank);
  EXPECT_EQ(all.files.size(), 5U);
  EXPECT_EQ(all.entries.front().reason, LayoutReason::file_a_rank);
  EXPECT_EQ(all.entries.back().form, EntryForm::separate);

  const FileArrangement large_only = arrange_rows(1, 16 * mib, 700);
  EXPECT_EQ(large_only.layout, FileLayout::per_rank);
  EXPECT_EQ(large_only.entries.front().form, EntryForm::separate);
  EXPECT_EQ(large_only.entries.back().form, EntryForm::plain);
  EXPECT_EQ(large_only.entries.back().reason, LayoutReason::small_beside);

  EXPECT_EQ(arrange_rows(1, 16 * mib - 4, 0).layout, FileLayout::shared);  // too little a file
  EXPECT_EQ(arrange_rows(800, 80 << 10, 0).layout, FileLayout::shared);    // too many sources
  EXPECT_EQ(arrange_rows(1, 16 * mib, 0, IoMode::independent).layout, FileLayout::shared);
  EXPECT_EQ(arrange_rows(1, 1024 * mib, 0, IoMode::direct, 64).layout, FileLayout::per_rank);
  EXPECT_EQ(arrange_rows(1, 1024 * mib, 0, IoMode::direct, 65).layout, FileLayout::shared);
  EXPECT_EQ(arrange_rows(1, 1024 * mib, 0, IoMode::direct, 1).layout, FileLayout::shared);
}

TEST(Alignment, AnExplicitOneMayNotPadByMoreThanFivePercent) {
  StorageOptions options;
  options.alignment = 4096;
  const std::vector<std::int64_t> tiny(100, 5000);
  const auto refused = resolve_alignment(options, tiny);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
  EXPECT_THAT(refused.error().message, ::testing::HasSubstr("allow_padding"));
  options.allow_padding = true;
  EXPECT_EQ(resolve_alignment(options, tiny)->bytes, 4096);
  options.allow_padding = false;
  options.alignment_threshold = 6000;  // none is aligned
  EXPECT_EQ(resolve_alignment(options, tiny)->threshold, 6000);
}

}  // namespace
}  // namespace shardmark
