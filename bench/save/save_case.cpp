// SPDX-License-Identifier: Apache-2.0
#include "bench/save/save_case.hpp"

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <utility>

#include "bench/config/lib_options.hpp"
#include "bench/harness/measure/case_naming.hpp"
#include "bench/harness/measure/collective_timer.hpp"
#include "bench/harness/measure/file_system_probe.hpp"
#include "bench/harness/measure/visibility.hpp"
#include "bench/save/background_save.hpp"
#include "bench/save/io_facts.hpp"
#include "bench/save/save_measurement.hpp"
#include "shardmark/checkpoint/checkpoint_files.hpp"
#include "shardmark/checkpoint/inspect.hpp"
#include "shardmark/checkpoint/load.hpp"
#include "shardmark/checkpoint/save.hpp"
#include "shardmark/storage/hdf5/files/kept_entry_file.hpp"

namespace shardmark::bench {
namespace {

class SaveCase final : public BenchmarkCase {
 public:
  SaveCase(const SweepCase& point, SuiteEnvironment& environment)
      : BenchmarkCase(describe_io_case(save_family, Operation::save, point, environment)),
        config_(point.config),
        environment_(environment),
        planner_(configured_planner(config_)),
        played_(environment.played(config_)) {}

  Status set_up() override {
    if (config_.storage.async) {
      SHARDMARK_ASSIGN_OR_RETURN(background_, BackgroundSave::make(config_, environment_.comm));
    }
    return {};
  }

  Status prepare() override {
    auto workload = environment_.workloads.get(config_, Memory::allocate, Played::first);
    SHARDMARK_RETURN_IF_ERROR(environment_.comm.agree(Status(workload)));  // collectives follow
    workload_ = *workload;
    SHARDMARK_ASSIGN_OR_RETURN(
        checkpoint_, environment_.checkpoints.next(config_.storage.directory, played_.has_value(),
                                                   environment_.comm));
    workload_->fill(checkpoint_.seed);
    if (background_) {
      background_->step_alone();
    }
    if (uses_page_cache(config_.storage)) {
      environment_.free_memory.touch(workload_->local_num_bytes());
    }
    return {};
  }

  Status operate() override {
    start_s_ = steady_seconds();
    SaveOptions options =
        save_options(config_, checkpoint_.directory, checkpoint_.step, checkpoint_.seed);
    options.save_id_prefix = checkpoint_.save_id_prefix;
    options.published_dtypes = workload_->published_dtypes();
    follow_traits(environment_.traits_of(config_.storage.directory), options.storage);
    if (played_) {
      options.played = played_save(config_, *played_, PlayedParts::shares);
    } else {
      options.kept_planner = planner_.get();
    }
    options.kept_entry_file = config_.planner.cache ? &kept_entry_file_ : nullptr;
    const StateDict& state_dict = workload_->state_dict();
    SHARDMARK_ASSIGN_OR_RETURN(report_, background_ ? background_->save(state_dict, options)
                                                    : save(state_dict, options, environment_.comm));
    return {};
  }

  Status tear_down() override {
    if (background_) {
      background_->close();
      background_.reset();
    }
    return {};
  }

  Status check(Measurement& measurement) override {
    if (!report_.path.empty()) {
      environment_.checkpoints.committed(checkpoint_);
    }
    describe_result(measurement);
    Status counted = check_bytes();
    if (report_.path.empty()) {
      return counted;  // the null back end keeps nothing
    }
    Visibility visibility;  // nobody but those who played it may read what was played
    if (!played_) {
      SHARDMARK_ASSIGN_OR_RETURN(visibility,
                                 observe(checkpoint_.directory, checkpoint_.step, start_s_,
                                         environment_.topology, environment_.comm));
    }
    measurement.visible_s = visibility.visible_s;
    measurement.visible_from = visibility.from;
    if (visibility.looks > 0) {
      measurement.metrics["visible_looks"] = static_cast<double>(visibility.looks);
    }
    const Status verified = environment_.comm.agree(counted ? verify(measurement) : counted);
    // Also after a failure: the run may make many more.
    const Status removed = environment_.checkpoints.remove_old(environment_.comm);
    return verified ? removed : verified;
  }

 private:
  /// Collective.
  void describe_result(Measurement& measurement) const {
    const Communicator& comm = environment_.comm;
    describe_save(report_, config_, comm, measurement);
    if (background_) {
      background_->describe(measurement);
    }
    if (report_.path.empty()) {
      describe_hashing(report_, comm, measurement);
    } else {
      explain_save(report_, config_, checkpoint_.directory, played_, comm, measurement);
    }
  }

  /// The same on all ranks.
  Status check_bytes() const {
    // Of what is played the other ranks' part is not there; what is gets read back.
    if (played_ || report_.num_bytes == workload_->global_num_bytes()) {
      return {};
    }
    return Error{ErrorCode::data_loss,
                 fmt::format("step {}: the save counts {} stored bytes, the model has {}",
                             checkpoint_.step, report_.num_bytes, workload_->global_num_bytes())};
  }

  /// Collective.
  Status verify(Measurement& measurement) {
    if (config_.run.verify == "full") {
      workload_->poison();
      LoadOptions options = load_options(config_, checkpoint_.directory, checkpoint_.step);
      options.io = IoMode::direct;  // through the cache: what was saved may still lie there
      options.o_direct = false;
      options.played = played_;
      SHARDMARK_ASSIGN_OR_RETURN(const LoadReport loaded,
                                 load(workload_->state_dict(), options, environment_.comm));
      SHARDMARK_RETURN_IF_ERROR(workload_->check(checkpoint_.seed, loaded.absent));
      measurement.verified = true;
    } else if (config_.run.verify == "sample" && environment_.comm.is_root()) {
      // Structure only, so this does not count as verified; the load family checks contents.
      return played_ ? Status(open_played(checkpoint_.directory, checkpoint_.step, *played_))
                     : Status(inspect_checkpoint(checkpoint_.directory, checkpoint_.step));
    }
    return {};
  }

  Config config_;
  SuiteEnvironment& environment_;
  std::unique_ptr<SavePlanner> planner_;  // kept, so that a cached one finds its plan
  KeptEntryFile kept_entry_file_;         // with planner.cache
  std::optional<PlayedWorld> played_;
  Workload* workload_ = nullptr;
  CheckpointSteps::Checkpoint checkpoint_;
  double start_s_ = 0;
  std::unique_ptr<BackgroundSave> background_;  // with storage.async
  SaveReport report_;
};

}  // namespace

CaseMaker save_cases(SuiteEnvironment& environment) {
  return [&environment](const SweepCase& point) {
    Cases cases;
    cases.push_back(std::make_unique<SaveCase>(point, environment));
    return cases;
  };
}

}  // namespace shardmark::bench
