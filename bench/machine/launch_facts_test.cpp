// SPDX-License-Identifier: Apache-2.0
#include "bench/machine/launch_facts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace shardmark::bench {
namespace {

TEST(CpuList, JoinsNeighbours) {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  EXPECT_EQ(cpu_list(cpus), "");
  for (const std::size_t cpu : {0U, 1U, 2U, 5U, 7U, 8U, 1023U}) {
    CPU_SET(cpu, &cpus);
  }
  EXPECT_EQ(cpu_list(cpus), "0-2,5,7-8,1023");
}

TEST(SteeringVariables, AreOfAClosedList) {
  ASSERT_EQ(setenv("ROMIO_HINTS", "/etc/romio", 1), 0);
  ASSERT_EQ(setenv("SECRET_TOKEN", "not to be stored", 1), 0);
  const auto variables = steering_variables();
  EXPECT_THAT(variables, ::testing::Contains(::testing::Pair("ROMIO_HINTS", "/etc/romio")));
  EXPECT_EQ(variables.count("SECRET_TOKEN"), 0U);
  EXPECT_EQ(variables.count("PATH"), 0U);
  unsetenv("ROMIO_HINTS");
  unsetenv("SECRET_TOKEN");
}

TEST(SchedulerJob, IsTheOneThisProcessRunsIn) {
  for (const char* variable : {"SLURM_JOB_ID", "PBS_JOBID", "FLUX_JOB_ID", "LSB_JOBID", "JOB_ID"}) {
    unsetenv(variable);
  }
  EXPECT_EQ(scheduler_job(), "");
  ASSERT_EQ(setenv("PBS_JOBID", "77.head", 1), 0);
  EXPECT_EQ(scheduler_job(), "pbs 77.head");
  unsetenv("PBS_JOBID");
}

}  // namespace
}  // namespace shardmark::bench
