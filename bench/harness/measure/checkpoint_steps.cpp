// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/measure/checkpoint_steps.hpp"

#include <algorithm>

#include "shardmark/storage/directory/partial_checkpoint.hpp"
#include "shardmark/storage/directory/unfinished.hpp"

namespace shardmark::bench {
namespace {

Result<std::int64_t> first_free_step(std::span<const std::string> directories) {
  std::int64_t free = 0;
  for (const std::string& directory : directories) {
    SHARDMARK_RETURN_IF_ERROR(make_checkpoint_root(directory));
    SHARDMARK_ASSIGN_OR_RETURN(const auto steps, committed_steps(directory));
    if (!steps.empty()) {
      free = std::max(free, steps.back() + 1);
    }
  }
  return free;
}

}  // namespace

Result<CheckpointSteps> CheckpointSteps::make(std::span<const std::string> directories,
                                              std::int64_t keep, std::uint64_t first_seed,
                                              const Communicator& comm) {
  CheckpointSteps steps;
  Status status;
  if (comm.is_root()) {
    const auto free = first_free_step(directories);
    status = Status(free);
    steps.next_step_ = free ? *free : 0;
  }
  SHARDMARK_RETURN_IF_ERROR(comm.agree(status));
  steps.next_step_ = comm.all_reduce(steps.next_step_, MPI_MAX);
  steps.first_seed_ = first_seed;
  steps.keep_ = keep;
  return steps;
}

CheckpointSteps::Checkpoint CheckpointSteps::next(const std::string& directory) {
  const std::int64_t step = next_step_++;
  // No step of an interrupted run stays, committed or not.
  const auto held = hold_unfinished();
  add_unfinished(directory + "/" + step_name(step));
  return {directory, step, first_seed_ + static_cast<std::uint64_t>(step)};
}

void CheckpointSteps::committed(const Checkpoint& checkpoint, bool pinned) {
  held_.push_back({checkpoint, pinned});
}

void CheckpointSteps::release(const Checkpoint& checkpoint) {
  for (Held& held : held_) {
    held.pinned = held.pinned && held.checkpoint.step != checkpoint.step;
  }
}

Status CheckpointSteps::remove_old(const Communicator& comm) {
  auto loose = std::ranges::count_if(held_, [](const Held& held) { return !held.pinned; });
  Status status;
  for (auto held = held_.begin(); held != held_.end() && loose > keep_;) {
    if (held->pinned) {
      ++held;
      continue;
    }
    if (comm.is_root()) {
      const Status removed = remove_checkpoint(held->checkpoint.directory, held->checkpoint.step);
      status = status ? removed : status;
    }
    {
      const auto hold = hold_unfinished();
      forget_unfinished(held->checkpoint.directory + "/" + step_name(held->checkpoint.step));
    }
    held = held_.erase(held);
    --loose;
  }
  return status;
}

}  // namespace shardmark::bench
