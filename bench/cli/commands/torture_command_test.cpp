// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/commands/torture_command.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/cli/driven_command.hpp"

namespace shardmark::bench {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(TortureCommand, HandsOnWhatWasSaidAndNothingElse) {
  TortureArguments arguments;
  arguments.directory = "a place";
  EXPECT_THAT(torture_words(arguments, "script", "/bin/it"),
              ElementsAre("script", "--shardmark=/bin/it", "--dir=a place"));
  arguments.quick = true;
  arguments.json = true;
  arguments.seed = 7;
  arguments.launcher = "srun --mpi=pmix";
  EXPECT_THAT(torture_words(arguments, "script", "/bin/it"),
              ElementsAre("script", "--shardmark=/bin/it", "--dir=a place", "--seed=7",
                          "--launcher=srun --mpi=pmix", "--quick", "--json"));
}

TEST(TortureCommand, WithoutPythonIsOneMessage) {
  const Outcome outcome =
      shardmark({"torture", "--dir", "x", "--quick"}, {"SHARDMARK_PYTHON=/no/python3"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.out, IsEmpty());
  EXPECT_THAT(outcome.err, HasSubstr("/no/python3"));
}

TEST(TortureCommand, UnderALauncherIsRefused) {
  const Outcome outcome =
      shardmark({"torture", "--dir", "x"}, {"OMPI_COMM_WORLD_SIZE=2", "OMPI_COMM_WORLD_RANK=0"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("without"));
}

TEST(TortureCommand, AParentThatIsNotThereIsExitCode2) {
  const Outcome outcome = shardmark({"torture", "--dir", "/no/such/parent/x", "--quick", "--json"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.out, HasSubstr("\"code\": 2"));
  EXPECT_THAT(outcome.err, HasSubstr("/no/such/parent"));
}

}  // namespace
}  // namespace shardmark::bench
