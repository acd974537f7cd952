// SPDX-License-Identifier: Apache-2.0
#include "bench/config/played_ranks.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "bench/config/config_test_fixture.hpp"

namespace shardmark::bench {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST_F(ConfigTest, PlayedRanksAreSomeOfTheWorld) {
  const std::string file = (root_ / "suites/t.toml").string();
  EXPECT_EQ(minimal_with("run.world=512").run.play, "");
  EXPECT_THAT(refusal("[run]\nworld = 8\nplay = \"3-1\"\n"),
              AllOf(HasSubstr(file + ":7: run.play: found the string \"3-1\", expected ranks"),
                    HasSubstr("goes backwards")));
  EXPECT_THAT(refusal("[run]\nworld = 8\nplay = \"1,1\"\n"), HasSubstr("none twice"));
  EXPECT_THAT(refusal("[run]\nworld = 8\nplay = 2.5\n"), HasSubstr("run.play: found the number"));
  EXPECT_THAT(
      refusal("[run]\nplay = \"0-7,8\"\nworld = 8\n"),
      AllOf(HasSubstr(file + ":6: run.play"), HasSubstr("found rank 8"), HasSubstr("0 to 7")));
  EXPECT_THAT(refusal("[run]\nplay = \"0-7\"\n"), HasSubstr("found no run.world"));
  const auto config = base(
      "model.name = \"m\"\nparallel.strategy = \"ddp\"\n"
      "run.world = 8\nrun.play = 7\n");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->run.play, "7");
  const auto played = played_world(*config, 1);
  ASSERT_TRUE(played) << played.error().message;
  EXPECT_EQ(*played, (PlayedWorld{8, {7}}));
  const auto too_many = played_world(*config, 2);
  ASSERT_FALSE(too_many);
  EXPECT_THAT(too_many.error().message,
              AllOf(HasSubstr(file + ":4: run.play"), HasSubstr("2 were launched")));
}

}  // namespace
}  // namespace shardmark::bench
