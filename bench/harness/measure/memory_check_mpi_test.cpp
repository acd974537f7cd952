// SPDX-License-Identifier: Apache-2.0
// What does not fit is refused by all ranks with one message; what that proposes fits.
#include "bench/harness/measure/memory_check.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "shardmark/testing/mpi_world.hpp"

namespace shardmark::bench {
namespace {

using shardmark::testing::world;
using ::testing::HasSubstr;

constexpr std::int64_t mebibyte = std::int64_t{1} << 20;
// Of tensors, on each rank; what is beside them is small against it.
constexpr std::int64_t whole_model = 100'000 * mebibyte;

Result<std::int64_t> bytes_at_scale(const Config& config) {
  return static_cast<std::int64_t>(static_cast<double>(whole_model) *
                                   config.model.scale.value_or(1));
}

std::vector<MemoryRoom> two_rooms(std::int64_t group_bytes) {
  return {{"MemAvailable of this node", 1000 * whole_model}, {"/group/memory.max", group_bytes}};
}

TEST(MemoryCheck, TakesTheRanksOfANodeTogether) {
  const std::vector<Config> configs(1);
  const std::int64_t just_enough = world().size() * (whole_model + 200 * mebibyte);
  EXPECT_TRUE(check_memory(configs, bytes_at_scale, two_rooms(just_enough), world()));
  const Status refused =
      check_memory(configs, bytes_at_scale, two_rooms(world().size() * whole_model), world());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(refused.error().rank, 0);
  EXPECT_THAT(refused.error().message, HasSubstr("/group/memory.max"));
  EXPECT_THAT(refused.error().message, HasSubstr("model.scale = 0.99 fits"));
  EXPECT_TRUE(check_memory({}, bytes_at_scale, two_rooms(0), world())) << "nothing is held";
}

TEST(MemoryCheck, CountsWhatIsStagedBesideTheTensors) {
  Config config;
  const auto staged = [&](std::int64_t tensors, int ranks_on_node) {
    return memory_need(config, tensors, ranks_on_node).staging / mebibyte;
  };
  EXPECT_EQ(staged(whole_model, 4), 24 + 32 + 64);
  EXPECT_EQ(staged(whole_model, 16), 24 + 32 + 32) << "512 MiB of a node";
  EXPECT_EQ(staged(0, 4), 24);
  config.storage.async = true;
  EXPECT_EQ(staged(80 * mebibyte, 4), 24 + 80 + 32 + 64) << "as many as it holds";
  config.storage.staging_bytes = 10 * mebibyte;
  EXPECT_EQ(staged(80 * mebibyte, 4), 24 + 10 + 32 + 64);
  config.storage.backend = "null";
  config.storage.async = false;
  EXPECT_EQ(staged(whole_model, 4), 24);
}

TEST(MemoryCheck, ProposesOnlyWhatFits) {
  const std::int64_t room = 2000 * mebibyte * world().size();
  std::vector<Config> configs(2);
  configs.front().storage.backend = "null";
  configs.back().storage.async = true;  // needs twice as much
  const Status refused = check_memory(configs, bytes_at_scale, two_rooms(room), world());
  ASSERT_FALSE(refused);
  const std::string& message = refused.error().message;
  const std::size_t at = message.find("model.scale = ");
  ASSERT_NE(at, std::string::npos) << message;
  for (Config& config : configs) {
    config.model.scale = std::stod(message.substr(at + 14));
  }
  EXPECT_TRUE(check_memory(configs, bytes_at_scale, two_rooms(room), world())) << message;
  for (Config& config : configs) {
    *config.model.scale *= 1.4;
  }
  EXPECT_FALSE(check_memory(configs, bytes_at_scale, two_rooms(room), world())) << message;
}

TEST(MemoryCheck, SaysSoWhereNothingFits) {
  const Status refused =
      check_memory(std::vector<Config>(1), bytes_at_scale, two_rooms(mebibyte), world());
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("use more nodes, or a smaller model.scale"));
}

TEST(MemoryCheck, OneRankThatNeedsTooMuchIsEverybodysError) {
  const auto uneven = [](const Config& config) -> Result<std::int64_t> {
    return world().rank() == world().size() - 1 ? *bytes_at_scale(config) : 0;
  };
  EXPECT_FALSE(check_memory(std::vector<Config>(1), uneven, two_rooms(whole_model / 2), world()));
}

}  // namespace
}  // namespace shardmark::bench
