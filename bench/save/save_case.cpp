// SPDX-License-Identifier: Apache-2.0
#include "bench/save/save_case.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "bench/config/lib_options.hpp"
#include "bench/harness/measure/case_naming.hpp"
#include "bench/harness/measure/collective_timer.hpp"
#include "bench/harness/measure/file_system_probe.hpp"
#include "bench/harness/measure/visibility.hpp"
#include "bench/save/interference.hpp"
#include "bench/save/io_facts.hpp"
#include "shardmark/checkpoint/async_save.hpp"
#include "shardmark/checkpoint/inspect.hpp"
#include "shardmark/checkpoint/load.hpp"
#include "shardmark/checkpoint/save.hpp"
#include "shardmark/storage/hdf5/files/kept_entry_file.hpp"

namespace shardmark::bench {
namespace {

// How long the steps run by themselves before each save.
constexpr double seconds_alone = 0.3;

class SaveCase final : public BenchmarkCase {
 public:
  SaveCase(const SweepCase& point, SuiteEnvironment& environment)
      : BenchmarkCase(describe_io_case(save_family, Operation::save, point, environment)),
        config_(point.config),
        environment_(environment),
        planner_(configured_planner(config_)) {}

  Status set_up() override {
    if (config_.storage.async) {
      SHARDMARK_ASSIGN_OR_RETURN(
          saver_, AsyncSaver::make({config_.storage.staging_bytes}, environment_.comm));
      steps_.emplace(environment_.comm);
    }
    return {};
  }

  Status prepare() override {
    auto workload = environment_.workloads.get(config_, Memory::allocate);
    SHARDMARK_RETURN_IF_ERROR(environment_.comm.agree(Status(workload)));  // collectives follow
    workload_ = *workload;
    SHARDMARK_ASSIGN_OR_RETURN(
        checkpoint_, environment_.checkpoints.next(config_.storage.directory, environment_.comm));
    workload_->fill(checkpoint_.seed);
    if (saver_ && config_.run.interference) {
      alone_ = steps_->run_for(seconds_alone);
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
    follow_traits(environment_.traits_of(config_.storage.directory), options.storage);
    options.kept_planner = planner_.get();
    options.kept_entry_file = config_.planner.cache ? &kept_entry_file_ : nullptr;
    if (!saver_) {
      SHARDMARK_ASSIGN_OR_RETURN(report_,
                                 save(workload_->state_dict(), options, environment_.comm));
      return {};
    }
    SHARDMARK_ASSIGN_OR_RETURN(started_, saver_->start(workload_->state_dict(), options));
    if (config_.run.interference) {
      during_ = steps_->run_until([&] { return !saver_->busy(); });
    }
    SHARDMARK_ASSIGN_OR_RETURN(std::optional<SaveReport> report, saver_->finish());
    report_ = std::move(*report);
    // What the caller did beside the save and until it knew of its end.
    const double own_s = steady_seconds() - start_s_;
    report_.phases[Phase::wait] += std::max(0.0, own_s - report_.phases.total_s());
    return {};
  }

  Status tear_down() override {
    if (saver_) {
      saver_->close();
      saver_.reset();
    }
    return {};
  }

  Status check(Measurement& measurement) override {
    if (!report_.path.empty()) {
      environment_.checkpoints.committed(checkpoint_);
    }
    describe_result(measurement);
    const Status counted = check_bytes();
    if (report_.path.empty()) {
      return counted;  // the null back end keeps nothing
    }
    SHARDMARK_ASSIGN_OR_RETURN(const Visibility visibility,
                               observe(checkpoint_.directory, checkpoint_.step, start_s_,
                                       environment_.topology, environment_.comm));
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
  void describe_result(Measurement& measurement) const {
    measurement.phase_list = save_phases;
    measurement.phases = report_.phases;
    measurement.events = report_.events;
    measurement.returned_s = report_.returned_s;
    measurement.durable_s = report_.durable_s;
    measurement.num_bytes = report_.num_bytes;
    measurement.bytes_written = report_.bytes_written;
    measurement.write_requests = report_.write_requests;
    measurement.balanced_bytes = report_.bytes_written;
    const Inventory& inventory = report_.inventory;
    measurement.metrics["metadata_bytes"] = static_cast<double>(inventory.metadata_bytes);
    measurement.metrics["checksum_bytes"] = static_cast<double>(inventory.checksum_bytes);
    add_counters(measurement);
    add_async(measurement);
    if (report_.statistics) {
      const SavePlanStatistics& plan = *report_.statistics;
      measurement.metrics["items"] = static_cast<double>(plan.items);
      measurement.metrics["deduplicated_bytes"] = static_cast<double>(plan.deduplicated_bytes);
    }
    if (!report_.path.empty()) {
      measurement.inventory =
          DiskInventory{inventory.files, inventory.num_bytes, inventory.padding_bytes};
      explain_io(measurement);
    } else {
      add_hashing(measurement);
    }
  }

  /// How the transfers were done, and what made them slow.
  void explain_io(Measurement& measurement) const {
    IoFacts facts;
    facts.backend = config_.storage.backend;
    facts.requested = config_.storage.io;
    facts.broken = gather_broken(report_, environment_.comm);
    if (backend_of(config_.storage).has_file_layouts) {
      measurement.io_modes = io_mode_records(facts.requested, report_, facts.broken);
    }
    const auto total = [&](std::int64_t own) { return environment_.comm.all_reduce(own, MPI_SUM); };
    facts.requests = total(report_.counters.write_requests);
    facts.small_requests = total(report_.counters.small_requests);
    facts.misaligned_requests = total(report_.counters.misaligned_requests);
    facts.metadata_calls = total(report_.metadata_calls);
    const double metadata_s = report_.phases[Phase::create] + report_.phases[Phase::commit];
    facts.metadata_share = environment_.comm.all_reduce(metadata_s, MPI_MAX) /
                           environment_.comm.all_reduce(report_.durable_s, MPI_MAX);
    if (!environment_.comm.is_root()) {
      return;
    }
    const auto stored = inspect_checkpoint(checkpoint_.directory, checkpoint_.step);
    if (!stored) {
      return;  // verification says what is wrong with it
    }
    count_pieces(stored->manifest, facts);
    measurement.why = explain(facts);
    auto& metrics = measurement.metrics;
    metrics["hdf5_metadata_calls"] = static_cast<double>(facts.metadata_calls);
    metrics["shares"] = static_cast<double>(facts.shares);
    metrics["misaligned_shares"] = static_cast<double>(facts.misaligned_shares);
    metrics["pieces"] = static_cast<double>(facts.pieces);
    metrics["pieces_below_stripe"] = static_cast<double>(facts.small_pieces);
    metrics["stripe_bytes"] = static_cast<double>(facts.stripe_bytes);
  }

  /// What hashing alone costs, with nothing written beside it.
  void add_hashing(Measurement& measurement) const {
    const auto add = [&](const std::string& kind, const HashCounters& own) {
      const std::int64_t num_bytes = environment_.comm.all_reduce(own.num_bytes, MPI_SUM);
      const double seconds = environment_.comm.all_reduce(own.seconds, MPI_SUM);
      if (num_bytes > 0) {
        measurement.metrics["hashed_" + kind + "_bytes"] = static_cast<double>(num_bytes);
        measurement.metrics["hashed_" + kind + "_s"] = seconds;  // of all ranks, one after another
      }
    };
    add("contiguous", report_.counters.hashed_contiguous);
    add("strided", report_.counters.hashed_strided);
  }

  /// What the caller of an asynchronous save waited for, on the slowest rank, and what its steps
  /// took.
  void add_async(Measurement& measurement) const {
    if (!saver_) {
      return;
    }
    const auto of_all = [&](std::int64_t own) {
      return static_cast<double>(environment_.comm.all_reduce(own, MPI_SUM));
    };
    auto& metrics = measurement.metrics;
    metrics["waited_s"] = environment_.comm.all_reduce(started_.waited_s, MPI_MAX);
    metrics["pool_bytes_staged"] = of_all(started_.staged_bytes);
    metrics["bytes_written_before_return"] = of_all(started_.written_bytes);
    if (config_.run.interference) {
      metrics["step_alone_s"] = alone_.step_s();
      metrics["step_during_save_s"] = during_.step_s();
      metrics["steps_during_save"] = static_cast<double>(during_.steps);
    }
  }

  /// Of all ranks together; seconds of the rank that has most.
  void add_counters(Measurement& measurement) const {
    const WriteCounters& counters = report_.counters;
    std::array<std::int64_t, 6> sums = {counters.bytes_staged,        counters.bytes_o_direct,
                                        counters.misaligned_requests, counters.small_requests,
                                        counters.bytes_exchanged,     counters.messages};
    environment_.comm.all_reduce(std::span<std::int64_t>(sums), MPI_SUM);
    measurement.metrics["bytes_staged"] = static_cast<double>(sums[0]);
    measurement.overlapped_s = counters.overlapped_s;
    measurement.metrics["overlapped_s"] =
        environment_.comm.all_reduce(counters.overlapped_s, MPI_MAX);
    measurement.metrics["exposed_s"] = environment_.comm.all_reduce(counters.exposed_s, MPI_MAX);
    if (config_.storage.io == "direct" && !report_.path.empty()) {
      measurement.metrics["bytes_o_direct"] = static_cast<double>(sums[1]);
      measurement.metrics["misaligned_requests"] = static_cast<double>(sums[2]);
      measurement.metrics["small_requests"] = static_cast<double>(sums[3]);
      measurement.metrics["bytes_exchanged"] = static_cast<double>(sums[4]);
      measurement.metrics["messages"] = static_cast<double>(sums[5]);
      measurement.o_direct_actual = config_.storage.o_direct && sums[1] > 0;
    }
  }

  /// The same on all ranks.
  Status check_bytes() const {
    if (report_.num_bytes == workload_->global_num_bytes()) {
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
      SHARDMARK_RETURN_IF_ERROR(load(workload_->state_dict(), options, environment_.comm));
      SHARDMARK_RETURN_IF_ERROR(workload_->check(checkpoint_.seed));
      measurement.verified = true;
    } else if (config_.run.verify == "sample" && environment_.comm.is_root()) {
      // Structure only, so this does not count as verified; the load family checks contents.
      return Status(inspect_checkpoint(checkpoint_.directory, checkpoint_.step));
    }
    return {};
  }

  Config config_;
  SuiteEnvironment& environment_;
  std::unique_ptr<SavePlanner> planner_;  // kept, so that a cached one finds its plan
  KeptEntryFile kept_entry_file_;         // with planner.cache
  Workload* workload_ = nullptr;
  CheckpointSteps::Checkpoint checkpoint_;
  double start_s_ = 0;
  std::unique_ptr<AsyncSaver> saver_;  // with storage.async
  std::optional<InterferenceWorkload> steps_;
  AsyncStart started_;
  StepTimes alone_;
  StepTimes during_;
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
