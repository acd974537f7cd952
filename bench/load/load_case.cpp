// SPDX-License-Identifier: Apache-2.0
#include "bench/load/load_case.hpp"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <utility>

#include "bench/config/lib_options.hpp"
#include "bench/harness/measure/case_naming.hpp"
#include "bench/harness/measure/file_system_probe.hpp"
#include "bench/load/given_checkpoint.hpp"
#include "bench/load/safetensors_source.hpp"
#include "bench/machine/cache_state.hpp"
#include "shardmark/checkpoint/load.hpp"
#include "shardmark/checkpoint/save.hpp"

namespace shardmark::bench {
namespace {

CaseDescription describe(const SweepCase& point, const SuiteEnvironment& environment) {
  CaseDescription description = describe_io_case(load_family, Operation::load, point, environment);
  description.keys["load_checksum"] = point.config.load.checksum;
  if (description.discards) {
    description.skipped = fmt::format("storage.backend \"{}\" keeps nothing that could be loaded",
                                      point.config.storage.backend);
  }
  return description;
}

class LoadCase final : public BenchmarkCase {
 public:
  LoadCase(const SweepCase& point, SuiteEnvironment& environment)
      : BenchmarkCase(describe(point, environment)),
        config_(point.config),
        environment_(environment),
        played_(environment.played(config_)) {}

  Status set_up() override {
    if (const GivenCheckpoint* const given = environment_.given_to(config_)) {
      checkpoint_ = {given->directory, given->step, given->seed, {}};
      return {};  // nothing of it is this run's: it is read, and that is all
    }
    SHARDMARK_RETURN_IF_ERROR(take_workload());
    SHARDMARK_ASSIGN_OR_RETURN(
        checkpoint_, environment_.checkpoints.next(config_.storage.directory, played_.has_value(),
                                                   environment_.comm));
    workload_->fill(checkpoint_.seed);
    SaveOptions saving =
        save_options(config_, checkpoint_.directory, checkpoint_.step, checkpoint_.seed);
    saving.save_id_prefix = checkpoint_.save_id_prefix;
    saving.published_dtypes = workload_->published_dtypes();
    follow_traits(environment_.traits_of(config_.storage.directory), saving.storage);
    if (played_) {
      // What these ranks read in their world, whoever wrote it there.
      saving.played = played_save(config_, *played_, PlayedParts::held);
    }
    SHARDMARK_RETURN_IF_ERROR(save(workload_->state_dict(), saving, environment_.comm));
    environment_.checkpoints.committed(checkpoint_, true);
    saved_ = true;
    return {};
  }

  Status prepare() override {
    SHARDMARK_RETURN_IF_ERROR(take_workload());
    workload_->poison();
    SHARDMARK_ASSIGN_OR_RETURN(
        const auto ranges, plan_load_ranges(workload_->state_dict(), options(), environment_.comm));
    cold_ = cache_state(ranges, config_.run.cold_read, environment_.comm);
    if (config_.run.cold_read && uses_page_cache(config_.storage)) {
      environment_.free_memory.touch(workload_->local_num_bytes());
    }
    return {};
  }

  Status operate() override {
    SHARDMARK_ASSIGN_OR_RETURN(report_,
                               load(workload_->state_dict(), options(), environment_.comm));
    return {};
  }

  Status check(Measurement& measurement) override {
    measurement.phase_list = load_phases;
    measurement.phases = report_.phases;
    measurement.events = report_.events;
    measurement.num_bytes = environment_.comm.all_reduce(report_.num_bytes, MPI_SUM);
    measurement.bytes_read = report_.bytes_read;
    measurement.read_requests = report_.read_requests;
    measurement.balanced_bytes = report_.num_bytes;
    measurement.verify_bytes_read = report_.verify_bytes_read;
    measurement.cold = cold_;
    measurement.metrics["verified_chunks"] = static_cast<double>(report_.verified_chunks);
    std::array<std::int64_t, 4> sums = {report_.bytes_staged, report_.bytes_o_direct,
                                        report_.bytes_exchanged, report_.messages};
    environment_.comm.all_reduce(std::span<std::int64_t>(sums), MPI_SUM);
    measurement.metrics["bytes_staged"] = static_cast<double>(sums[0]);
    if (config_.storage.io == "direct") {
      measurement.metrics["bytes_o_direct"] = static_cast<double>(sums[1]);
      measurement.metrics["bytes_exchanged"] = static_cast<double>(sums[2]);
      measurement.metrics["messages"] = static_cast<double>(sums[3]);
      measurement.o_direct_actual = config_.storage.o_direct && sums[1] > 0;
    }
    measurement.metrics["unverified_chunks"] = static_cast<double>(report_.unverified_chunks);
    if (config_.run.verify != "none") {
      SHARDMARK_RETURN_IF_ERROR(check_values());
      measurement.verified = true;
    }
    return {};
  }

  Status tear_down() override {
    if (!saved_) {
      return {};
    }
    environment_.checkpoints.release(checkpoint_);
    return environment_.checkpoints.remove_old(environment_.comm);
  }

 private:
  /// Collective: the collectives that follow need every rank.
  Status take_workload() {
    auto workload = environment_.workloads.get(config_, Memory::allocate, Played::first);
    SHARDMARK_RETURN_IF_ERROR(environment_.comm.agree(Status(workload)));
    workload_ = *workload;
    return {};
  }

  Status check_values() const {
    if (report_.absent_bytes != 0) {
      return Error{ErrorCode::internal,
                   fmt::format("'{}' was not laid down as a whole for the ranks that are played",
                               report_.absent.front())};
    }
    const GivenCheckpoint* const given = environment_.given_to(config_);
    if (given != nullptr && given->foreign) {
      return compare_with_files(std::as_const(*workload_).state_dict(), *given->foreign);
    }
    Status right = workload_->check(checkpoint_.seed, report_.keys.missing);
    if (right || saved_) {
      return right;
    }
    return Error{
        right.error().code,
        fmt::format("{}\nload.from: these are not the values that 'shardmark save' writes; "
                    "run.verify = \"none\" loads what others saved, and load.checksum = "
                    "\"full\" has its checksums compared",
                    right.error().message)};
  }

  LoadOptions options() const {
    if (const GivenCheckpoint* const given = environment_.given_to(config_)) {
      return options_of(config_, *given);
    }
    LoadOptions options = load_options(config_, checkpoint_.directory, checkpoint_.step);
    options.played = checkpoint_.played ? played_ : std::nullopt;
    return options;
  }

  Config config_;
  SuiteEnvironment& environment_;
  std::optional<PlayedWorld> played_;
  Workload* workload_ = nullptr;
  CheckpointSteps::Checkpoint checkpoint_;
  bool saved_ = false;
  CacheReport cold_;
  LoadReport report_;
};

}  // namespace

CaseMaker load_cases(SuiteEnvironment& environment) {
  return [&environment](const SweepCase& point) {
    Cases cases;
    cases.push_back(std::make_unique<LoadCase>(point, environment));
    return cases;
  };
}

}  // namespace shardmark::bench
