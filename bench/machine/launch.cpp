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

/// Of a task: where it says which it is, and where of how many: the first that is set counts.
struct TaskVariables {
  const char* rank;
  std::array<const char*, 2> sizes;  // null: nowhere
  bool slurm_step = false;
  bool size_alone = false;  // which makes a task too, without a rank
};

constexpr TaskVariables task_variables[] = {
    {"OMPI_COMM_WORLD_RANK", {"OMPI_COMM_WORLD_SIZE", nullptr}, false, true},
    {"PMI_RANK", {"PMI_SIZE", nullptr}},
    {"PALS_RANKID", {"PALS_NRANKS", nullptr}},
    {"FLUX_TASK_RANK", {"FLUX_JOB_SIZE", nullptr}},
    // srun sets SLURM_NTASKS for its step; outside of one it is the allocation's.
    {"SLURM_PROCID", {"SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"}, true},
    {"PMIX_RANK", {nullptr, nullptr}},
};

struct TaskSize {
  std::int64_t size = 0;
  const char* variable = nullptr;
};

std::optional<TaskSize> size_in(const TaskVariables& variables) {
  for (const char* const name : variables.sizes) {
    if (const auto size = number_in(name)) {
      return TaskSize{*size, name};
    }
  }
  return std::nullopt;
}

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

/// A server that a task may ask how many there are.
bool has_pmix_server() {
  return std::getenv("PMIX_NAMESPACE") != nullptr &&
         std::ranges::any_of(
             std::array{"PMIX_SERVER_URI", "PMIX_SERVER_URI2", "PMIX_SERVER_URI21",
                        "PMIX_SERVER_URI3", "PMIX_SERVER_URI4", "PMIX_SERVER_URI41"},
             [](const char* name) { return std::getenv(name) != nullptr; });
}

/// What another launcher's variables say where the one that numbers the tasks does not.
std::optional<TaskSize> size_elsewhere(std::int64_t rank) {
  for (const TaskVariables& variables : task_variables) {
    const auto size = variables.slurm_step && !in_slurm_step() ? std::nullopt : size_in(variables);
    if (size && size->size > rank) {
      return size;
    }
  }
  return std::nullopt;
}

std::string of_how_many(const Launch& launch) {
  return launch.size > 0 ? fmt::format(" of {}", launch.size) : std::string(" of several");
}

}  // namespace

Launch detect_launch() {
  for (const TaskVariables& variables : task_variables) {
    if (variables.slurm_step && !in_slurm_step()) {
      continue;
    }
    const auto rank = number_in(variables.rank);
    auto size = size_in(variables);
    if (!rank && !(variables.size_alone && size)) {
      continue;
    }
    if (!size) {
      size = size_elsewhere(*rank);
    }
    return {true,
            static_cast<int>(rank.value_or(0)),
            static_cast<int>(size ? size->size : 0),
            size ? fmt::format("{}, {}", variables.rank, size->variable) : variables.rank,
            variables.slurm_step && !has_meeting_place(),
            has_pmix_server()};
  }
  return {};
}

Status check_tasks_can_meet(const Launch& launch, const std::string& library) {
  if (!launch.bare_step || !library.starts_with("Open MPI")) {
    return {};
  }
  return Error{ErrorCode::invalid_argument,
               fmt::format("this is task {}{} of a step of Slurm ({}) without PMIx, by which "
                           "alone {} finds the others: start it with srun --mpi=pmix, or with "
                           "mpirun in the allocation",
                           launch.rank, of_how_many(launch), launch.variables, library)};
}

Status check_world_is_whole(const Launch& launch, int world_size, const std::string& library) {
  if (!launch.launched || world_size > 1 || (launch.size == 1 && launch.rank == 0)) {
    return {};
  }
  constexpr std::string_view way_out = "srun --mpi=pmix, or the mpirun (mpiexec) that came with it";
  if (launch.size > 0 || launch.rank > 0) {
    return Error{
        ErrorCode::invalid_argument,
        fmt::format("this is task {}{} ({}), but MPI, which is {}, made a world of this one rank: "
                    "every task would work alone on the same files. Start it with the launcher of "
                    "that MPI: {}",
                    launch.rank, of_how_many(launch), launch.variables, library, way_out)};
  }
  if (launch.has_pmix_server && library.starts_with("Open MPI")) {
    return {};  // it asks the server how many there are
  }
  return Error{
      ErrorCode::invalid_argument,
      fmt::format("this is task 0 of a launcher that does not say how many it started ({}), and "
                  "MPI, which is {}, made a world of this one rank: if there are more, each would "
                  "work alone on the same files. Start it with the launcher of that MPI: {}; or a "
                  "single rank without a launcher and without {} in its environment",
                  launch.variables, library, way_out, launch.variables)};
}

}  // namespace shardmark::bench
