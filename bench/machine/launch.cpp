// SPDX-License-Identifier: Apache-2.0
#include "bench/machine/launch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string_view>

namespace shardmark::bench {
namespace {

std::optional<std::int64_t> number_in(const char* variable) {
  const char* const text = variable == nullptr ? nullptr : std::getenv(variable);
  if (text == nullptr) {
    return std::nullopt;
  }
  const std::string_view digits(text);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return error == std::errc() && end == digits.data() + digits.size() ? std::optional(value)
                                                                      : std::nullopt;
}

/// Of a task: where it says which it is, and where of how many.
struct TaskVariables {
  const char* rank;
  const char* size;  // null: nowhere
  bool slurm_step = false;
};

constexpr TaskVariables task_variables[] = {
    {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
    {"PMI_RANK", "PMI_SIZE"},
    {"PALS_RANKID", "PALS_NRANKS"},
    {"FLUX_TASK_RANK", "FLUX_JOB_SIZE"},
    {"SLURM_PROCID", "SLURM_STEP_NUM_TASKS", true},
    {"PMIX_RANK", nullptr},
};

/// A batch script and the shell of an interactive allocation are steps too, with numbers of their
/// own from the end of the range; what is started by hand in them is no task of a step.
bool in_slurm_step() {
  constexpr std::int64_t first_special_step = 0xFFFFFFF0;
  const auto step = number_in("SLURM_STEP_ID");
  return step && *step < first_special_step;
}

/// Of PMIx or PMI, from srun --mpi=pmix or --mpi=pmi2.
bool has_meeting_place() {
  return std::ranges::any_of(std::array{"PMIX_NAMESPACE", "PMIX_RANK", "PMI_FD"},
                             [](const char* name) { return std::getenv(name) != nullptr; });
}

}  // namespace

Launch detect_launch() {
  for (const TaskVariables& variables : task_variables) {
    if (variables.slurm_step && !in_slurm_step()) {
      continue;
    }
    const auto rank = number_in(variables.rank);
    const auto size = number_in(variables.size);
    if (!rank && !size) {
      continue;
    }
    return {true, static_cast<int>(rank.value_or(0)), static_cast<int>(size.value_or(0)),
            size ? fmt::format("{}, {}", variables.rank, variables.size) : variables.rank,
            variables.slurm_step && !has_meeting_place()};
  }
  return {};
}

Status check_tasks_can_meet(const Launch& launch, const std::string& library) {
  if (!launch.bare_step || !library.starts_with("Open MPI")) {
    return {};
  }
  return Error{ErrorCode::invalid_argument,
               fmt::format("this is task {} of {} of a step of Slurm ({}) without PMIx, by which "
                           "alone {} finds the others: start it with srun --mpi=pmix, or with "
                           "mpirun in the allocation",
                           launch.rank, launch.size, launch.variables, library)};
}

Status check_world_is_whole(const Launch& launch, int world_size, const std::string& library) {
  if (!launch.launched || world_size > 1 || (launch.size <= 1 && launch.rank == 0)) {
    return {};
  }
  const std::string of =
      launch.size > 0 ? fmt::format(" of {}", launch.size) : std::string(" of several");
  return Error{ErrorCode::invalid_argument,
               fmt::format("this is task {}{} ({}), but MPI, which is {}, made a world of this one "
                           "rank: every task would work alone on the same files. Start it with the "
                           "launcher of that MPI: srun --mpi=pmix, or the mpirun (mpiexec) that "
                           "came with it",
                           launch.rank, of, launch.variables, library)};
}

}  // namespace shardmark::bench
