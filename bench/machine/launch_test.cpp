// SPDX-License-Identifier: Apache-2.0
#include "bench/machine/launch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>

namespace shardmark::bench {
namespace {

using ::testing::HasSubstr;
using Environment = std::map<std::string, std::string>;

constexpr const char* known[] = {
    "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "PMI_RANK",       "PMI_SIZE",
    "PALS_RANKID",          "PALS_NRANKS",          "PMIX_RANK",      "FLUX_TASK_RANK",
    "FLUX_JOB_SIZE",        "SLURM_PROCID",         "SLURM_NTASKS",   "SLURM_STEP_NUM_TASKS",
    "SLURM_STEP_ID",        "SLURM_JOB_ID",         "PMIX_NAMESPACE", "PMI_FD",
    "PMIX_SERVER_URI3"};

Launch launch_in(const Environment& environment) {
  for (const char* variable : known) {
    ::unsetenv(variable);
  }
  for (const auto& [variable, value] : environment) {
    ::setenv(variable.c_str(), value.c_str(), 1);
  }
  return detect_launch();
}

bool is_split(const Environment& environment, int world_size) {
  return !check_world_is_whole(launch_in(environment), world_size, "Open MPI v4.1.4");
}

TEST(Launch, ATaskKnowsItsPlace) {
  const Launch alone = launch_in({});
  EXPECT_FALSE(alone.launched);
  EXPECT_EQ(alone.size, 1);
  for (const Environment& environment :
       {Environment{{"OMPI_COMM_WORLD_RANK", "3"}, {"OMPI_COMM_WORLD_SIZE", "4"}},
        Environment{{"PMI_RANK", "3"}, {"PMI_SIZE", "4"}},
        Environment{{"PALS_RANKID", "3"}, {"PALS_NRANKS", "4"}},
        Environment{{"FLUX_TASK_RANK", "3"}, {"FLUX_JOB_SIZE", "4"}},
        Environment{{"SLURM_STEP_ID", "0"}, {"SLURM_PROCID", "3"}, {"SLURM_STEP_NUM_TASKS", "4"}},
        Environment{{"SLURM_STEP_ID", "0"}, {"SLURM_PROCID", "3"}, {"SLURM_NTASKS", "4"}},
        Environment{{"SLURM_STEP_ID", "0"},
                    {"SLURM_PROCID", "3"},
                    {"SLURM_STEP_NUM_TASKS", "4"},
                    {"SLURM_NTASKS", "8"}},
        Environment{{"PALS_RANKID", "3"}, {"PMI_SIZE", "4"}}}) {
    const Launch launch = launch_in(environment);
    SCOPED_TRACE(launch.variables);
    EXPECT_TRUE(launch.launched);
    EXPECT_EQ(launch.rank, 3);
    EXPECT_EQ(launch.size, 4);
    EXPECT_TRUE(is_split(environment, 1));
    EXPECT_FALSE(is_split(environment, 4));
  }
  const Launch pmix = launch_in({{"PMIX_RANK", "2"}});
  EXPECT_TRUE(pmix.launched);
  EXPECT_EQ(pmix.size, 0) << "PMIx does not say";
  EXPECT_TRUE(is_split({{"PMIX_RANK", "2"}}, 1));
}

TEST(Launch, ATaskOfAStepIsRefusedWithoutPmiToo) {
  const Environment step{
      {"SLURM_STEP_ID", "0"}, {"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "4"}, {"PMI_FD", "5"}};
  EXPECT_TRUE(is_split(step, 1));
  Environment single = step;
  single["SLURM_STEP_NUM_TASKS"] = "1";  // srun -n 1 in an allocation of four
  EXPECT_FALSE(is_split(single, 1));
}

TEST(Launch, WhereNobodySaysHowManyNoTaskWorksAlone) {
  for (const char* rank : {"PMIX_RANK", "PMI_RANK", "PALS_RANKID", "FLUX_TASK_RANK"}) {
    SCOPED_TRACE(rank);
    for (const char* number : {"0", "1"}) {
      const Launch launch = launch_in({{rank, number}});
      EXPECT_EQ(launch.size, 0);
      const Status whole = check_world_is_whole(launch, 1, "Open MPI v4.1.4");
      ASSERT_FALSE(whole) << number;
      EXPECT_EQ(exit_code(whole.error().code), 2);
      EXPECT_THAT(whole.error().message, HasSubstr(rank));
    }
    EXPECT_FALSE(is_split({{rank, "0"}}, 2));
    EXPECT_FALSE(is_split({{rank, "1"}}, 2));
  }
  // Open MPI asks the server; another MPI made what it made without.
  const Environment served{
      {"PMIX_RANK", "0"}, {"PMIX_NAMESPACE", "n"}, {"PMIX_SERVER_URI3", "n;tcp4://"}};
  EXPECT_FALSE(is_split(served, 1));
  EXPECT_FALSE(check_world_is_whole(launch_in(served), 1, "MPICH Version: 4.0.2"));
  Environment second = served;
  second["PMIX_RANK"] = "1";
  EXPECT_TRUE(is_split(second, 1));
}

TEST(Launch, AnAllocationIsNoTask) {
  // By hand in the shell of a batch script of four tasks.
  const Environment batch{{"SLURM_JOB_ID", "7"}, {"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "4"}};
  EXPECT_FALSE(launch_in(batch).launched);
  EXPECT_FALSE(is_split(batch, 1));
  // The same where the shell is a step of its own.
  for (const char* step : {"4294967290", "4294967291"}) {
    Environment shell = batch;
    shell["SLURM_STEP_ID"] = step;
    shell["SLURM_STEP_NUM_TASKS"] = "4";
    EXPECT_FALSE(is_split(shell, 1)) << step;
  }
  // mpirun of two in that allocation; its daemons are a step of one task a node.
  Environment mpirun = batch;
  mpirun["SLURM_STEP_ID"] = "0";
  mpirun["SLURM_STEP_NUM_TASKS"] = "4";
  mpirun["OMPI_COMM_WORLD_RANK"] = "1";
  mpirun["OMPI_COMM_WORLD_SIZE"] = "2";
  EXPECT_EQ(launch_in(mpirun).rank, 1);
  EXPECT_EQ(launch_in(mpirun).size, 2);
  EXPECT_FALSE(is_split(mpirun, 2));
  mpirun["OMPI_COMM_WORLD_RANK"] = "0";
  mpirun["OMPI_COMM_WORLD_SIZE"] = "1";
  EXPECT_FALSE(is_split(mpirun, 1)) << "mpirun -n 1 there";
}

TEST(Launch, ABareStepOfSlurmIsRefusedBeforeOpenMpiEndsIt) {
  const Environment bare{
      {"SLURM_STEP_ID", "0"}, {"SLURM_PROCID", "2"}, {"SLURM_STEP_NUM_TASKS", "4"}};
  const auto refused = [](const Environment& environment, const char* library) {
    return check_tasks_can_meet(launch_in(environment), library);
  };
  const Status met = refused(bare, "Open MPI v4.1.4");
  ASSERT_FALSE(met);
  EXPECT_EQ(exit_code(met.error().code), 2);
  for (const char* word : {"task 2 of 4", "SLURM_PROCID", "srun --mpi=pmix", "mpirun"}) {
    EXPECT_THAT(met.error().message, HasSubstr(word));
  }
  EXPECT_TRUE(refused(bare, "MPICH Version: 4.0.2")) << "Slurm's own PMI sets no variable";
  for (const char* variable : {"PMIX_RANK", "PMIX_NAMESPACE", "PMI_FD", "OMPI_COMM_WORLD_RANK"}) {
    Environment with = bare;
    with[variable] = "2";
    EXPECT_TRUE(refused(with, "Open MPI v4.1.4")) << variable;
  }
  const Status unnumbered = refused({{"SLURM_STEP_ID", "0"}, {"SLURM_PROCID", "0"}}, "Open MPI");
  ASSERT_FALSE(unnumbered);
  EXPECT_THAT(unnumbered.error().message, HasSubstr("task 0 of several"));
  Environment by_hand = bare;
  by_hand["SLURM_STEP_ID"] = "4294967291";
  EXPECT_TRUE(refused(by_hand, "Open MPI v4.1.4"));
}

TEST(Launch, TheMessageNamesTheWayOut) {
  const Launch launch = launch_in({{"PMI_RANK", "0"}, {"PMI_SIZE", "4"}});
  const Status split = check_world_is_whole(launch, 1, "Open MPI v4.1.4");
  ASSERT_FALSE(split);
  EXPECT_EQ(exit_code(split.error().code), 2);
  for (const char* word :
       {"task 0 of 4", "PMI_SIZE", "Open MPI v4.1.4", "srun --mpi=pmix", "mpirun"}) {
    EXPECT_THAT(split.error().message, HasSubstr(word));
  }
  EXPECT_FALSE(launch_in({{"PMI_RANK", "x"}}).launched) << "no number";
}

}  // namespace
}  // namespace shardmark::bench
