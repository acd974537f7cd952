// SPDX-License-Identifier: Apache-2.0
// Names of folders: what is ours, and what only looks like it.
#include "shardmark/storage/directory/step_names.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace shardmark {
namespace {

TEST(StepNames, StepsOfNamesAndNothingElse) {
  for (const std::int64_t step : {std::int64_t{0}, std::int64_t{12}, max_step}) {
    EXPECT_EQ(step_of_name(step_name(step)), step);
    EXPECT_EQ(step_name(step).size(), 13U);
  }
  for (const char* name : {"step-0000001", "step-000000012", "step-0000 012", "step-+0000012",
                           "step--0000012", "Step-00000012", "step-0000001x", "step-", ""}) {
    EXPECT_FALSE(step_of_name(name)) << name;
  }
}

TEST(StepNames, WhatAnotherNameHides) {
  const std::string partial = partial_name(7, "00ff");
  EXPECT_TRUE(is_partial_name(partial));
  EXPECT_EQ(save_id_of_partial(partial), "00ff");
  for (const char* name : {".step-00000007.partial-", ".step-00000007.partial-0g",
                           ".step-7.partial-00ff", "step-00000007.partial-00ff", ""}) {
    EXPECT_FALSE(is_partial_name(name)) << name;
  }
  for (const std::string& name :
       {step_name(7), run_name("0123456789abcdef"), probe_name(), partial}) {
    EXPECT_TRUE(is_swept_name(swept_name(name))) << name;
    EXPECT_FALSE(is_swept_name(name)) << name;
    EXPECT_NE(swept_name(name), swept_name(name)) << "two sweepers must not meet";
  }
  EXPECT_EQ(swept_name(partial).rfind(".step-00000007.swept-", 0), 0U) << "the step, once";
  EXPECT_FALSE(is_swept_name(".notes.swept-00ff"));
}

TEST(StepNames, RunsAndProbes) {
  EXPECT_EQ(run_id_of_name(run_name("0123456789abcdef")), "0123456789abcdef");
  EXPECT_FALSE(run_id_of_name("run-0123456789abcde"));
  EXPECT_FALSE(run_id_of_name("run-0123456789abcdeF"));
  EXPECT_TRUE(is_probe_name(probe_name()));
  EXPECT_FALSE(is_probe_name(".probe-1"));
}

TEST(StepNames, SaveIdsDifferAndBeginAsAsked) {
  const std::string id = make_save_id();
  EXPECT_EQ(id.size(), 32U);
  EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(make_save_id(), id);
  const std::string of_run = make_save_id("0123456789abcdef");
  EXPECT_EQ(of_run.size(), 32U);
  EXPECT_EQ(of_run.rfind("0123456789abcdef", 0), 0U);
}

}  // namespace
}  // namespace shardmark
