// SPDX-License-Identifier: Apache-2.0
#include "bench/save/save_case.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "bench/config/lib_options.hpp"
#include "bench/harness/case_naming.hpp"
#include "bench/harness/collective_timer.hpp"
#include "bench/harness/visibility.hpp"
#include "shardmark/checkpoint/inspect.hpp"
#include "shardmark/checkpoint/load.hpp"
#include "shardmark/checkpoint/save.hpp"

namespace shardmark::bench {
namespace {

// H5D_mpio_no_collective_cause_t, bit by bit.
constexpr std::array<std::string_view, 7> no_collective_causes = {
    "set to independent",
    "datatype conversion",
    "data transforms",
    "MPI optimised types disabled",
    "not simple or scalar dataspaces",
    "not contiguous or chunked dataset",
    "parallel filtered writes disabled"};

std::string cause_text(std::int64_t bits) {
  std::string text;
  for (std::size_t bit = 0; bit < no_collective_causes.size(); ++bit) {
    if ((bits >> bit & 1) != 0) {
      text += (text.empty() ? "" : ", ") + std::string(no_collective_causes[bit]);
    }
  }
  return text.empty() ? fmt::format("HDF5 cause {:#x}", bits) : text;
}

IoModeRecord io_mode_record(const std::string& requested, std::int64_t no_collective_cause) {
  if (requested == "collective" && no_collective_cause != 0) {
    return {requested, "independent", cause_text(no_collective_cause), {}};
  }
  return {requested, requested, "", {}};
}

class SaveCase final : public BenchmarkCase {
 public:
  SaveCase(const SweepCase& point, SuiteEnvironment& environment)
      : BenchmarkCase(describe_io_case("save", point, environment)),
        config_(point.config),
        environment_(environment),
        planner_(configured_planner(config_)) {}

  Status prepare() override {
    SHARDMARK_ASSIGN_OR_RETURN(workload_, environment_.workloads.get(config_, Memory::allocate));
    checkpoint_ = environment_.checkpoints.next(config_.storage.directory);
    workload_->fill(checkpoint_.seed);
    return {};
  }

  Status operate() override {
    start_s_ = steady_seconds();
    SaveOptions options =
        save_options(config_, checkpoint_.directory, checkpoint_.step, checkpoint_.seed);
    options.kept_planner = planner_.get();
    SHARDMARK_ASSIGN_OR_RETURN(report_, save(workload_->state_dict(), options, environment_.comm));
    return {};
  }

  Status check(Measurement& measurement) override {
    describe_result(measurement);
    const Status counted = check_bytes();
    if (report_.path.empty()) {
      return counted;  // the null back end keeps nothing
    }
    environment_.checkpoints.committed(checkpoint_);
    SHARDMARK_ASSIGN_OR_RETURN(const Visibility visibility,
                               observe(checkpoint_.directory, checkpoint_.step, start_s_,
                                       environment_.topology, environment_.comm));
    measurement.visible_s = visibility.visible_s;
    measurement.visible_from = visibility.from;
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
    if (report_.statistics) {
      const SavePlanStatistics& plan = *report_.statistics;
      measurement.metrics["items"] = static_cast<double>(plan.items);
      measurement.metrics["deduplicated_bytes"] = static_cast<double>(plan.deduplicated_bytes);
    }
    if (!report_.path.empty()) {
      measurement.inventory =
          DiskInventory{inventory.files, inventory.num_bytes, inventory.padding_bytes};
      std::array<std::int64_t, 1> cause = {report_.no_collective_cause};
      environment_.comm.all_reduce(std::span<std::int64_t>(cause), MPI_BOR);
      measurement.io_modes = {io_mode_record(config_.storage.io, cause[0])};
    }
  }

  /// Of all ranks together; overlapped_s of the rank that has most.
  void add_counters(Measurement& measurement) const {
    const WriteCounters& counters = report_.counters;
    std::array<std::int64_t, 4> sums = {counters.bytes_staged, counters.bytes_o_direct,
                                        counters.misaligned_requests, counters.small_requests};
    environment_.comm.all_reduce(std::span<std::int64_t>(sums), MPI_SUM);
    measurement.metrics["bytes_staged"] = static_cast<double>(sums[0]);
    measurement.metrics["overlapped_s"] =
        environment_.comm.all_reduce(counters.overlapped_s, MPI_MAX);
    if (config_.storage.io == "direct" && !report_.path.empty()) {
      measurement.metrics["bytes_o_direct"] = static_cast<double>(sums[1]);
      measurement.metrics["misaligned_requests"] = static_cast<double>(sums[2]);
      measurement.metrics["small_requests"] = static_cast<double>(sums[3]);
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
  Workload* workload_ = nullptr;
  CheckpointSteps::Checkpoint checkpoint_;
  double start_s_ = 0;
  SaveReport report_;
};

}  // namespace

std::unique_ptr<BenchmarkCase> make_save_case(const SweepCase& point,
                                              SuiteEnvironment& environment) {
  return std::make_unique<SaveCase>(point, environment);
}

}  // namespace shardmark::bench
