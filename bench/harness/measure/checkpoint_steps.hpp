// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>

#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"

namespace shardmark::bench {

/// The checkpoints that one run makes: every save gets a step that nobody had, and a seed of its
/// own, so that a stale file fails its check. All ranks call the same members in the same order.
class CheckpointSteps {
 public:
  struct Checkpoint {
    std::string directory;
    std::int64_t step = 0;
    std::uint64_t seed = 0;
  };

  /// Collective. Rank 0 makes the directories (their last component) and looks for the highest step
  /// in all of them. `keep`: how many checkpoints of the run stay at its end. Errors: those of
  /// make_checkpoint_root and committed_steps.
  static Result<CheckpointSteps> make(std::span<const std::string> directories, std::int64_t keep,
                                      std::uint64_t first_seed, const Communicator& comm);

  /// Local.
  Checkpoint next(const std::string& directory);

  /// Local: `checkpoint` was committed. A pinned one stays until release().
  void committed(const Checkpoint& checkpoint, bool pinned = false);
  /// Local.
  void release(const Checkpoint& checkpoint);

  /// Collective in that all ranks must call it; rank 0 removes. All but the newest `keep` of those
  /// that are not pinned. The result is rank 0's, not agreed.
  Status remove_old(const Communicator& comm);

 private:
  struct Held {
    Checkpoint checkpoint;
    bool pinned = false;
  };

  std::int64_t next_step_ = 0;
  std::uint64_t first_seed_ = 0;
  std::int64_t keep_ = 0;
  std::deque<Held> held_;  // oldest first
};

}  // namespace shardmark::bench
