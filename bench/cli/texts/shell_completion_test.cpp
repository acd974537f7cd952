// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "bench/cli/texts/generated_test_fixture.hpp"

namespace shardmark::bench {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(Generate, WordsForCompletions) {
  EXPECT_THAT(generated("suites"), HasSubstr("quick\nreshard\n"));
  EXPECT_THAT(generated("models"), HasSubstr("\nllama3-8b\n"));
  const std::string settings = generated("settings");
  EXPECT_THAT(settings,
              AllOf(HasSubstr("\nstorage.io=collective\n"),
                    HasSubstr("\nparallel.strategy=fsdp-tp\n"), HasSubstr("\nrun.ranks=\n")));
}

}  // namespace
}  // namespace shardmark::bench
