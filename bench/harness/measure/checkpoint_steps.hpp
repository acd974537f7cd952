// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/storage/directory/run_folder.hpp"

namespace shardmark::bench {

/// The checkpoints that one run makes, in a folder of its own below each directory: every save gets
/// a step that nobody had, and a seed of its own, so that a stale file fails its check. All ranks
/// call the same members in the same order.
class CheckpointSteps {
 public:
  struct Checkpoint {
    std::string directory;
    std::int64_t step = 0;
    std::uint64_t seed = 0;
    std::string save_id_prefix;  // of the run: by it a step is known as its own
    bool played = false;         // by some ranks of run.world
  };

  /// Collective. Rank 0 makes the directories (their last component), sweeps them and makes the
  /// run's folder in each. `keep`: how many checkpoints of the run stay at its end. Errors: those
  /// of RunFolder::make.
  static Result<CheckpointSteps> make(std::span<const std::string> directories, std::int64_t keep,
                                      std::uint64_t first_seed, const Communicator& comm);

  /// Local. The run's folder below a directory of make().
  std::string folder_of(const std::string& directory) const;
  /// Local, rank 0. All of them.
  std::vector<std::string> folders() const;

  /// Collective. The next step in the run's folder below `directory` that is free; where somebody
  /// else has taken a number, the next one. Errors, agreed: io_error.
  Result<Checkpoint> next(const std::string& directory, bool played, const Communicator& comm);

  /// Local: `checkpoint` was committed. A pinned one stays until release().
  void committed(const Checkpoint& checkpoint, bool pinned = false);
  /// Local.
  void release(const Checkpoint& checkpoint);

  /// Collective in that all ranks must call it; rank 0 removes. All but the newest `keep` of those
  /// that are not pinned. The result is rank 0's, not agreed.
  Status remove_old(const Communicator& comm);

  /// Local, at the end: removes the run's folders; with `keep`, those stay that have checkpoints.
  void close();

 private:
  struct Held {
    Checkpoint checkpoint;
    bool pinned = false;
  };

  std::string run_id_;
  std::vector<RunFolder> folders_;  // rank 0
  std::int64_t next_step_ = 0;
  std::uint64_t first_seed_ = 0;
  std::int64_t keep_ = 0;
  std::deque<Held> held_;  // oldest first
};

}  // namespace shardmark::bench
