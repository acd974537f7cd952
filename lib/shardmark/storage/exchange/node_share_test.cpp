// SPDX-License-Identifier: Apache-2.0
// Against the regions of all files, as a rank that has to do with each of them deals them.
#include "shardmark/storage/exchange/node_share.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "shardmark/storage/exchange/striped_regions.hpp"
#include "shardmark/testing/random_source.hpp"

namespace shardmark {
namespace {

using ::shardmark::testing::RandomSource;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::int64_t region_bytes = std::int64_t{1} << 20;

std::vector<ExchangedFile> files_of(RandomSource& random, std::int64_t count) {
  std::vector<ExchangedFile> files;
  for (std::int64_t f = 0; f < count; ++f) {
    ExchangedFile file;
    file.file = static_cast<std::uint64_t>(f);
    file.num_bytes = 1 + random.number(7 * region_bytes);
    files.push_back(file);
  }
  return files;
}

std::vector<std::uint64_t> numbers_of(const NodeShare& share) {
  std::vector<std::uint64_t> numbers;
  for (const ExchangedFile& file : share.files) {
    numbers.push_back(file.file);
  }
  return numbers;
}

TEST(NodeShare, HasTheFilesOfTheNodesRanksAndTheFirst) {
  RandomSource random;
  const std::vector<ExchangedFile> files = files_of(random, 5);
  const std::vector<int> node_of_rank = {0, 0, 1, 1, 2, 2};
  const std::vector<std::int64_t> file_of_rank = {1, 2, 2, 3, 4, 4};
  const Dealing dealing{node_of_rank, file_of_rank, 0, false};
  const auto of = [&](int rank) {
    return numbers_of(share_of_node(files, {}, region_bytes, dealing, rank));
  };
  EXPECT_THAT(of(0), ElementsAre(0, 1, 2));
  EXPECT_THAT(of(1), ElementsAre(0, 1, 2));
  EXPECT_THAT(of(3), ElementsAre(0, 2, 3));
  EXPECT_THAT(of(5), ElementsAre(0, 4));
  // Where nobody has a file of its own, all have to do with each.
  EXPECT_THAT(numbers_of(share_of_node(files, {}, region_bytes, {node_of_rank, {}, 0, false}, 5)),
              ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(share_of_node({}, {}, region_bytes, dealing, 0).regions, IsEmpty());
}

// Every node deals a region that it has to do with to the same writer, under the same number.
TEST(NodeShare, AgreesWithThatOfOthers) {
  RandomSource random;
  for (int round = 0; round < 50; ++round) {
    const std::vector<ExchangedFile> files = files_of(random, 1 + random.number(6));
    std::vector<int> node_of_rank;
    std::vector<std::int64_t> file_of_rank;
    const auto num_ranks = static_cast<int>(1 + random.number(9));
    const std::int64_t ranks_a_node = 1 + random.number(3);
    for (int rank = 0; rank < num_ranks; ++rank) {
      node_of_rank.push_back(static_cast<int>(rank / ranks_a_node));
      file_of_rank.push_back(random.number(static_cast<std::int64_t>(files.size())));
    }
    Striping striping;
    if (random.one_in(2)) {
      striping = {{{0, INT64_MAX, region_bytes, 1 + random.number(4)}}};
    }
    const Dealing dealing{node_of_rank, file_of_rank, static_cast<int>(random.number(3)),
                          random.one_in(2)};
    std::vector<Region> all = cut_into_regions(files, region_bytes, 1);
    deal_by_objects(all, striping, 1);
    std::map<std::size_t, int> writer_of;
    for (int rank = 0; rank < num_ranks; ++rank) {
      const NodeShare share = share_of_node(files, striping, region_bytes, dealing, rank);
      const auto is_of_share = [&](const Region& region) {
        return std::ranges::any_of(share.files, [&](const ExchangedFile& file) {
          return file.file == files[region.file].file;
        });
      };
      EXPECT_EQ(std::ranges::count_if(all, is_of_share), std::ssize(share.regions));
      std::size_t before = 0;
      for (const Region& region : share.regions) {
        ASSERT_LT(region.number, all.size());
        EXPECT_TRUE(before == 0 || region.number > before);
        before = region.number;
        const Region& same = all[region.number];
        const std::uint64_t file = share.files[region.file].file;
        EXPECT_EQ(file, files[same.file].file);
        EXPECT_EQ(region.bytes, same.bytes);
        EXPECT_EQ(region.turn, same.turn);
        EXPECT_EQ(region.striped, same.striped);
        const auto writer = static_cast<std::size_t>(region.writer);
        EXPECT_TRUE(file == 0 || file_of_rank[writer] == static_cast<std::int64_t>(file));
        const int own_node = node_of_rank[static_cast<std::size_t>(rank)];
        const auto server = std::ranges::find(node_of_rank, own_node) - node_of_rank.begin() +
                            std::ptrdiff_t{region.server};
        EXPECT_EQ(node_of_rank.at(static_cast<std::size_t>(server)), own_node);
        EXPECT_EQ(server == region.writer, node_of_rank[writer] == own_node);
        EXPECT_TRUE(!region.travels || node_of_rank[writer] != own_node);
        EXPECT_EQ(writer_of.try_emplace(region.number, region.writer).first->second, region.writer)
            << "of rank " << rank;
      }
    }
  }
}

}  // namespace
}  // namespace shardmark
