// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>

#include "bench/config/config.hpp"
#include "bench/harness/measure/sample.hpp"
#include "bench/save/interference.hpp"
#include "shardmark/checkpoint/async_save.hpp"
#include "shardmark/checkpoint/save_options.hpp"
#include "shardmark/checkpoint/save_report.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/protocol/state_dict.hpp"

namespace shardmark::bench {

/// Saves in the background, with steps of a training program beside them where `run.interference`
/// asks for it.
class BackgroundSave {
 public:
  /// Collective. `comm` must outlive it. Errors: those of AsyncSaver::make().
  static Result<std::unique_ptr<BackgroundSave>> make(const Config& config,
                                                      const Communicator& comm);

  /// Collective. What a step takes with no save beside it: what the steps during the next save are
  /// compared with.
  void step_alone();

  /// Collective. Starts a save, steps until it is over, and waits for its end.
  Result<SaveReport> save(const StateDict& state_dict, const SaveOptions& options);

  /// Collective. What the caller waited for, on the slowest rank, and what its steps took.
  void describe(Measurement& measurement) const;

  /// Collective. Before it goes.
  void close() { saver_->close(); }

 private:
  BackgroundSave(std::unique_ptr<AsyncSaver> saver, bool interferes, const Communicator& comm);

  const Communicator& comm_;
  std::unique_ptr<AsyncSaver> saver_;
  std::optional<InterferenceWorkload> steps_;  // with run.interference
  AsyncStart started_;
  StepTimes alone_;
  StepTimes during_;
};

}  // namespace shardmark::bench
