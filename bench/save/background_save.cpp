// SPDX-License-Identifier: Apache-2.0
#include "bench/save/background_save.hpp"

#include <algorithm>
#include <utility>

#include "bench/harness/measure/collective_timer.hpp"

namespace shardmark::bench {
namespace {

// How long the steps run by themselves before each save: some hundred of them, so that one that was
// disturbed does not make a save look cheap.
constexpr double seconds_alone = 0.3;

}  // namespace

Result<std::unique_ptr<BackgroundSave>> BackgroundSave::make(const Config& config,
                                                             const Communicator& comm) {
  SHARDMARK_ASSIGN_OR_RETURN(auto saver, AsyncSaver::make({config.storage.staging_bytes}, comm));
  return std::unique_ptr<BackgroundSave>(
      new BackgroundSave(std::move(saver), config.run.interference, comm));
}

BackgroundSave::BackgroundSave(std::unique_ptr<AsyncSaver> saver, bool interferes,
                               const Communicator& comm)
    : comm_(comm), saver_(std::move(saver)) {
  if (interferes) {
    steps_.emplace(comm);
  }
}

void BackgroundSave::step_alone() {
  if (steps_) {
    alone_ = steps_->run_for(seconds_alone);
  }
}

Result<SaveReport> BackgroundSave::save(const StateDict& state_dict, const SaveOptions& options) {
  const double start_s = steady_seconds();
  SHARDMARK_ASSIGN_OR_RETURN(started_, saver_->start(state_dict, options));
  if (steps_) {
    during_ = steps_->run_until([&] { return !saver_->busy(); });
  }
  SHARDMARK_ASSIGN_OR_RETURN(std::optional<SaveReport> report, saver_->finish());
  // What the caller did beside the save and until it knew of its end: phases must sum to the time
  // that the operation took here.
  const double own_s = steady_seconds() - start_s;
  report->phases[Phase::wait] += std::max(0.0, own_s - report->phases.total_s());
  return std::move(*report);
}

void BackgroundSave::describe(Measurement& measurement) const {
  const auto of_all = [&](std::int64_t own) {
    return static_cast<double>(comm_.all_reduce(own, MPI_SUM));
  };
  auto& metrics = measurement.metrics;
  metrics["waited_s"] = comm_.all_reduce(started_.waited_s, MPI_MAX);
  metrics["pool_bytes_staged"] = of_all(started_.staged_bytes);
  metrics["bytes_written_before_return"] = of_all(started_.written_bytes);
  if (steps_) {
    metrics["step_alone_s"] = alone_.step_s();
    metrics["step_during_save_s"] = during_.step_s();
    metrics["steps_during_save"] = static_cast<double>(during_.steps);
  }
}

}  // namespace shardmark::bench
