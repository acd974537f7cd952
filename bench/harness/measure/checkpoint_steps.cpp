// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/measure/checkpoint_steps.hpp"

#include <algorithm>
#include <utility>

#include "shardmark/core/first_failure.hpp"
#include "shardmark/storage/directory/committed_steps.hpp"
#include "shardmark/storage/directory/played_steps.hpp"

namespace shardmark::bench {
namespace {

constexpr std::size_t run_id_length = 16;

}  // namespace

Result<CheckpointSteps> CheckpointSteps::make(std::span<const std::string> directories,
                                              std::int64_t keep, std::uint64_t first_seed,
                                              const Communicator& comm) {
  CheckpointSteps steps;
  steps.run_id_ = make_save_id().substr(0, run_id_length);
  comm.broadcast(steps.run_id_);
  Status made;
  for (const std::string& directory : directories) {
    if (!comm.is_root() || !made) {
      break;
    }
    auto folder = RunFolder::make(directory, steps.run_id_);
    made = Status(folder);
    if (folder) {
      steps.folders_.push_back(std::move(*folder));
    }
  }
  SHARDMARK_RETURN_IF_ERROR(comm.agree(made));
  steps.first_seed_ = first_seed;
  steps.keep_ = keep;
  return steps;
}

std::string CheckpointSteps::folder_of(const std::string& directory) const {
  return directory + "/" + run_name(run_id_);
}

std::vector<std::string> CheckpointSteps::folders() const {
  std::vector<std::string> paths;
  for (const RunFolder& folder : folders_) {
    paths.push_back(folder.path());
  }
  return paths;
}

Result<CheckpointSteps::Checkpoint> CheckpointSteps::next(const std::string& directory, bool played,
                                                          const Communicator& comm) {
  const std::string folder = folder_of(directory);
  Status looked;
  // Somebody else may save into this folder; a number that is taken is passed over, never replaced.
  while (comm.is_root()) {
    looked =
        played ? check_played_is_new(folder, next_step_) : check_step_is_new(folder, next_step_);
    if (looked || looked.error().code != ErrorCode::already_exists) {
      break;
    }
    ++next_step_;
  }
  SHARDMARK_RETURN_IF_ERROR(comm.agree(looked));
  next_step_ = comm.all_reduce(next_step_, MPI_MAX);
  const std::int64_t step = next_step_++;
  return Checkpoint{.directory = folder,
                    .step = step,
                    .seed = first_seed_ + static_cast<std::uint64_t>(step),
                    .save_id_prefix = run_id_,
                    .played = played};
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
  // Pinned ones are in use as somebody's source and do not count as kept.
  auto loose = std::ranges::count_if(held_, [](const Held& held) { return !held.pinned; });
  Status status;
  for (auto held = held_.begin(); held != held_.end() && loose > keep_;) {
    if (held->pinned) {
      ++held;
      continue;
    }
    if (comm.is_root()) {
      const Checkpoint& old = held->checkpoint;
      const Status removed = old.played
                                 ? remove_played(old.directory, old.step, old.save_id_prefix)
                                 : remove_checkpoint(old.directory, old.step, old.save_id_prefix);
      keep_first_failure(status, removed);
    }
    held = held_.erase(held);
    --loose;
  }
  return status;
}

void CheckpointSteps::close() {
  for (RunFolder& folder : folders_) {
    static_cast<void>(folder.close(std::ranges::any_of(held_, [&](const Held& held) {
      return keep_ > 0 && held.checkpoint.directory == folder.path();
    })));
  }
  folders_.clear();
}

}  // namespace shardmark::bench
