// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/report/waterfall.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "bench/harness/measure/visibility.hpp"
#include "bench/harness/report/operation_table.hpp"
#include "bench/machine/process_io.hpp"
#include "bench/suite/families.hpp"

namespace shardmark::bench {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// Summaries with their descriptions, rates in bytes per second.
class Summaries {
 public:
  CaseSummary& add(const std::string& family, const std::string& variant, double rate,
                   std::map<std::string, std::string> keys = {}, const std::string& group = "m/s") {
    CaseDescription& d = descriptions_.emplace_back();
    d.family = find_family(family)->traits;
    d.operation =
        family == "load" || variant.ends_with("-load") ? Operation::load : Operation::save;
    d.discards = variant == "null";
    d.variant = variant;
    d.strategy = "s";
    d.name = family + "/m/s/" + variant;
    d.keys = std::move(keys);
    d.ceiling_group = group;
    CaseSummary& summary = summaries_.emplace_back();
    summary.rate_bytes_per_s = rate;
    summary.time_s = TimeSpread{1, 1, 1};
    summary.repetitions = 3;
    return summary;
  }

  CaseSummary& add_ceiling(const std::string& layer, const std::string& kind, double rate,
                           const std::string& operation = "save") {
    return add("ceiling", kind + "-" + operation, rate,
               {{"ceiling", layer}, {"operation", operation}});
  }

  std::span<const CaseSummary> all() {
    for (std::size_t i = 0; i < summaries_.size(); ++i) {
      summaries_[i].description = &descriptions_[i];
    }
    return summaries_;
  }

 private:
  std::deque<CaseDescription> descriptions_;
  std::vector<CaseSummary> summaries_;
};

TEST(Waterfall, EachLayerIsAShareOfTheOneBefore) {
  Summaries made;
  made.add("save", "shared-direct", 30, {{"backend", "hdf5"}});
  made.add("save", "null", 900, {{"backend", "null"}});
  made.add("load", "shared-direct", 25, {{"backend", "hdf5"}});
  made.add("save", "elsewhere", 10, {{"backend", "hdf5"}}, "other/group");
  made.add_ceiling("memcpy", "memcpy", 200);
  made.add_ceiling("posix-per-rank", "posix-per-rank-direct", 100);
  made.add_ceiling("posix-per-rank", "posix-per-rank-buffered", 80);
  made.add_ceiling("posix-shared", "posix-shared-buffered", 40);
  made.add_ceiling("posix-shared", "posix-shared-direct", 50);
  made.add_ceiling("posix-per-rank", "posix-per-rank-direct", 125, "load");
  const auto falls = waterfalls(made.all());
  ASSERT_EQ(falls.size(), 2U);
  const auto& layers = falls[0].layers;
  ASSERT_EQ(layers.size(), 4U);
  EXPECT_EQ(layers[0].layer, "memcpy");
  EXPECT_FALSE(layers[0].of_below);
  EXPECT_DOUBLE_EQ(*layers[1].of_below, 0.5);
  EXPECT_EQ(layers[2].summary->description->variant, "posix-shared-direct-save");
  EXPECT_DOUBLE_EQ(*layers[2].of_below, 0.5);
  EXPECT_EQ(layers[3].layer, "shardmark");
  EXPECT_DOUBLE_EQ(*layers[3].of_below, 0.6);
  EXPECT_EQ(falls[1].operation, Operation::load);
  ASSERT_EQ(falls[1].layers.size(), 2U);
  EXPECT_DOUBLE_EQ(*falls[1].layers[1].of_below, 0.2);

  const CeilingShare shares = ceiling_shares(made.all()[0], made.all());
  EXPECT_DOUBLE_EQ(shares.at("posix-per-rank"), 0.3);
  EXPECT_DOUBLE_EQ(shares.at("posix-per-rank-buffered"), 0.375);
  EXPECT_DOUBLE_EQ(shares.at("posix-shared"), 0.6);
  EXPECT_DOUBLE_EQ(shares.at("posix-shared-buffered"), 0.75);
  EXPECT_TRUE(ceiling_shares(made.all()[1], made.all()).empty());  // null stores nothing
  EXPECT_TRUE(ceiling_shares(made.all()[3], made.all()).empty());  // no ceiling of its group
  const std::string text = waterfall_text(falls, made.all());
  EXPECT_THAT(text, HasSubstr("waterfall, save of m/s"));
  EXPECT_THAT(text, HasSubstr("60%"));
  EXPECT_THAT(text, HasSubstr("(posix-shared-buffered)"));
  EXPECT_THAT(text, Not(HasSubstr("elsewhere")));
  EXPECT_TRUE(waterfalls({}).empty());
}

TEST(OperationTable, SaysWhereTheKernelCountedOtherwise) {
  Summaries made;
  CaseSummary& save = made.add("save", "a", 1);
  save.bytes_moved = 1000;
  save.bytes_below = 1049;
  CaseSummary& warm = made.add("load", "b", 1);
  warm.bytes_moved = 1000;
  warm.bytes_below = 0;
  warm.cold = CacheState::warm;
  warm.resident_fraction = 1.0;
  const std::string text = operation_table(made.all(), {});
  EXPECT_THAT(text, Not(HasSubstr("below us: save")));
  EXPECT_THAT(text, HasSubstr("below us: load s b: 1000 B read, the kernel counted 0 B (-100 %)"));
  EXPECT_THAT(text, HasSubstr("read certificate: load s b: warm in the worst of 3 repetitions"));
  EXPECT_EQ(operation_table({}, {}), "");
}

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

TEST(Observers, OneOnEveryOtherNodeElseTheHighestRank) {
  NodeTopology topology;
  topology.host_of_node = {"a", "b", "c"};
  topology.node_of_rank = {0, 0, 1, 1, 2};
  EXPECT_EQ(observing_ranks(topology), (std::vector<int>{2, 4}));
  topology.host_of_node = {"a"};
  topology.node_of_rank = {0, 0, 0};
  EXPECT_EQ(observing_ranks(topology), std::vector<int>{2});
  topology.node_of_rank = {0};
  EXPECT_TRUE(observing_ranks(topology).empty());
}

}  // namespace
}  // namespace shardmark::bench
