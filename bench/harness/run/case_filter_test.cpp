// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "bench/harness/run/case_filter.hpp"

namespace shardmark::bench {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(CaseFilter, FollowsGoogleBenchmarksRule) {
  const std::vector<std::string> names = {"save/m/ddp/ranks:4", "save/m/fsdp/ranks:4",
                                          "load/m/fsdp/ranks:4"};
  const auto selected = [&](std::string_view filter) {
    const auto result = select_cases(filter, names);
    return result ? *result : std::vector<std::size_t>{99};
  };
  EXPECT_THAT(selected(""), ElementsAre(0, 1, 2));
  EXPECT_THAT(selected("fsdp"), ElementsAre(1, 2));
  EXPECT_THAT(selected("^save.*fsdp"), ElementsAre(1));
  EXPECT_THAT(selected("-fsdp"), ElementsAre(0));
  EXPECT_THAT(selected("ddp/ranks:4$"), ElementsAre(0));
  EXPECT_THAT(selected("load/.*/iterations:1/manual_time$"), ElementsAre(2));
}

TEST(CaseFilter, ThatSelectsNothingNamesWhatThereIs) {
  const std::vector<std::string> names = {"save/a", "load/b"};
  const auto none = select_cases("reshard", names);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::invalid_argument);
  EXPECT_THAT(none.error().message, HasSubstr("save/a, load/b"));
  const auto bad = select_cases("(", names);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace shardmark::bench
