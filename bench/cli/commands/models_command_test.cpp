// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "bench/cli/driven_command.hpp"

namespace shardmark::bench {
namespace {

TEST(ModelsCommand, ListsTheCatalogAndRefusesOthers) {
  const Outcome all = shardmark({"models"});
  EXPECT_EQ(all.exit_code, 0);
  for (const char* name : {"tiny", "llama3-405b", "deepseek-v3"}) {
    EXPECT_THAT(all.out, ::testing::HasSubstr(name));
  }
  EXPECT_TRUE(nlohmann::json::accept(shardmark({"models", "--json"}).out));
}

}  // namespace
}  // namespace shardmark::bench
