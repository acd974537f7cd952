// SPDX-License-Identifier: Apache-2.0
// How many ways each kind of parallelism divides a world, given or derived.
#include "shardmark/workload/parallel_degrees.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shardmark/workload/strategy.hpp"

namespace shardmark {
namespace {

ParallelOptions options_with(std::string strategy) {
  ParallelOptions options;
  options.strategy = std::move(strategy);
  return options;
}

/// dp_replicate, dp_shard, tp, pp of a strategy that must resolve.
std::vector<std::int64_t> degrees(const ParallelOptions& options, std::int64_t world_size) {
  const auto strategy = Strategy::resolve(options, world_size);
  if (!strategy) {
    ADD_FAILURE() << strategy.error().message;
    return {};
  }
  const ParallelDegrees& d = strategy->degrees();
  if (options.strategy != "block-cyclic") {  // a grid instead
    EXPECT_EQ(d.dp_replicate * d.dp_shard * d.tp * d.pp, world_size);
  }
  EXPECT_EQ(d.dp_shard % d.ep, 0);
  return {d.dp_replicate, d.dp_shard, d.tp, d.pp};
}

using Ways = std::vector<std::int64_t>;

TEST(Degrees, LeftOutOnesAreDerived) {
  EXPECT_EQ(degrees(options_with("ddp"), 6), (Ways{6, 1, 1, 1}));
  EXPECT_EQ(degrees(options_with("zero1"), 6), (Ways{6, 1, 1, 1}));
  EXPECT_EQ(degrees(options_with("fsdp"), 6), (Ways{1, 6, 1, 1}));
  EXPECT_EQ(degrees(options_with("hsdp"), 6), (Ways{2, 3, 1, 1}));
  EXPECT_EQ(degrees(options_with("hsdp"), 7), (Ways{1, 7, 1, 1}));
  EXPECT_EQ(degrees(options_with("megatron"), 24), (Ways{3, 1, 8, 1}));
  EXPECT_EQ(degrees(options_with("megatron"), 12), (Ways{3, 1, 4, 1}));
  EXPECT_EQ(degrees(options_with("megatron"), 7), (Ways{7, 1, 1, 1}));
  EXPECT_EQ(degrees(options_with("fsdp-tp"), 4), (Ways{1, 2, 2, 1}));
  EXPECT_EQ(degrees(options_with("fsdp-tp"), 8), (Ways{1, 4, 2, 1}));
  EXPECT_EQ(degrees(options_with("fsdp-tp"), 64), (Ways{1, 8, 8, 1}));
  EXPECT_EQ(degrees(options_with("fsdp-tp"), 3), (Ways{1, 3, 1, 1}));
  for (const std::string_view name : strategy_names()) {
    for (std::int64_t world = 1; world <= 64; ++world) {
      degrees(options_with(std::string(name)), world);
    }
  }
}

TEST(Degrees, GivenOnesAndTheRest) {
  ParallelOptions options = options_with("megatron");
  options.pp = 2;
  EXPECT_EQ(degrees(options, 8), (Ways{1, 1, 4, 2}));
  options.tp = 2;
  EXPECT_EQ(degrees(options, 8), (Ways{2, 1, 2, 2}));
  options.tp = -1;
  EXPECT_EQ(degrees(options, 8), (Ways{1, 1, 4, 2}));
  options.ep = 1;
  options.dp_shard = -1;  // unused: 1
  EXPECT_EQ(degrees(options, 16), (Ways{1, 1, 8, 2}));
  options = options_with("hsdp");
  options.dp_shard = 4;
  EXPECT_EQ(degrees(options, 16), (Ways{4, 4, 1, 1}));
  options.dp_shard = -1;
  options.dp_replicate = 8;
  EXPECT_EQ(degrees(options, 16), (Ways{8, 2, 1, 1}));
  options = options_with("fsdp-tp");
  options.tp = 3;
  EXPECT_EQ(degrees(options, 6), (Ways{1, 2, 3, 1}));
  options.tp.reset();
  options.dp_shard = 6;
  EXPECT_EQ(degrees(options, 12), (Ways{1, 6, 2, 1}));
}

TEST(Degrees, Refusals) {
  const auto message = [](const ParallelOptions& options, std::int64_t world) {
    const auto strategy = Strategy::resolve(options, world);
    EXPECT_FALSE(strategy);
    return strategy ? std::string() : strategy.error().message;
  };
  ParallelOptions options = options_with("fsdp");
  options.dp_shard = 3;
  EXPECT_NE(message(options, 4).find("dp_shard 3 = 3 ranks"), std::string::npos)
      << message(options, 4);
  options.dp_shard.reset();
  options.tp = 2;
  EXPECT_NE(message(options, 4).find("parallel.tp = 2: strategy 'fsdp' does not use it"),
            std::string::npos);
  options.tp = 0;
  message(options, 4);
  options.tp = -2;
  message(options, 4);
  options = options_with("hsdp");
  options.dp_replicate = -1;
  options.dp_shard = -1;
  EXPECT_NE(message(options, 4).find("dp_replicate and dp_shard are both -1"), std::string::npos);
  options.dp_replicate = 3;
  message(options, 4);
  options = options_with("megatron");
  options.pp = std::int64_t{1} << 62;
  options.tp = std::int64_t{1} << 62;
  message(options, 4);
  options = options_with("fsdp");
  options.order = "pp-tp";
  EXPECT_NE(message(options, 4).find("'pp-tp'"), std::string::npos);
  message(options_with("fsdp"), 0);
  for (const char* name : {"flat", "zero3", "fsdb", ""}) {
    const auto unknown = Strategy::resolve(options_with(name), 4);
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().code, ErrorCode::unsupported);
    EXPECT_NE(unknown.error().message.find("not available in this version"), std::string::npos);
    EXPECT_NE(unknown.error().message.find("fsdp-tp, megatron"), std::string::npos);
  }
}

TEST(Degrees, EpDividesDpShard) {
  ParallelOptions options = options_with("ep");
  options.ep = 3;
  const auto refused = Strategy::resolve(options, 8);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("parallel.ep = 3: expected a divisor of dp_shard"),
            std::string::npos);
  const auto ep = [&](std::optional<std::int64_t> given, std::int64_t world) {
    options.ep = given;
    return Strategy::resolve(options, world)->degrees().ep;
  };
  EXPECT_EQ(ep({}, 24), 8);
  EXPECT_EQ(ep({}, 6), 2);
  EXPECT_EQ(ep(-1, 6), 6);
}

}  // namespace
}  // namespace shardmark
