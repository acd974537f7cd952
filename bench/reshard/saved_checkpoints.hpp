// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "bench/config/config.hpp"
#include "bench/harness/measure/suite_environment.hpp"
#include "shardmark/workload/workload.hpp"

namespace shardmark::bench {

/// The first `ranks` ranks of a run, as a world of their own.
class FirstRanks {
 public:
  /// Collective over `all`.
  FirstRanks(const Communicator& all, int ranks);
  /// Collective over the members.
  void close();

  /// Null on the ranks that are not of it.
  const Communicator* comm() const noexcept { return comm_ ? &*comm_ : nullptr; }
  int ranks() const noexcept { return ranks_; }

 private:
  int ranks_;
  std::optional<Communicator> comm_;
};

/// What the cases of a matrix share: a checkpoint of each way of saving, made once, and the one
/// workload that is in memory.
class SavedCheckpoints {
 public:
  explicit SavedCheckpoints(SuiteEnvironment& environment) : environment_(environment) {}

  /// Collective. The checkpoint of `config` under `config.reshard.saved_strategy` on `ranks` ranks;
  /// saved at the first call and kept until as many calls of release(). The result is agreed.
  Result<CheckpointSteps::Checkpoint> acquire(const Config& config, int ranks);
  /// Collective in that all ranks must call it.
  Status release(const CheckpointSteps::Checkpoint& checkpoint);

  /// Local. This rank's tensors of `config` in a world of `ranks`; those of the call before are
  /// gone, if they were others.
  Result<Workload*> workload(const Config& config, int ranks);

 private:
  struct Saved {
    CheckpointSteps::Checkpoint checkpoint;
    int users = 0;
  };
  Status save_one(const Config& config, int ranks, const CheckpointSteps::Checkpoint& checkpoint);

  SuiteEnvironment& environment_;
  std::map<std::string, Saved> saved_;  // by everything that tells saves apart
  std::string held_;                    // what workload_ is of
  std::optional<Workload> workload_;
};

}  // namespace shardmark::bench
