// SPDX-License-Identifier: Apache-2.0
#include "bench/reshard/reshard_case.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "bench/config/lib_options.hpp"
#include "bench/harness/measure/case_naming.hpp"
#include "bench/machine/cache_state.hpp"
#include "bench/reshard/saved_checkpoints.hpp"
#include "shardmark/checkpoint/load.hpp"

namespace shardmark::bench {
namespace {

/// Ranks of one side; 0 in the configuration means all.
int world_of(std::int64_t ranks, const Communicator& comm) {
  return ranks == 0 ? comm.size() : static_cast<int>(ranks);
}

std::string saved_strategy(const Config& config) {
  const std::string& saved = config.reshard.saved_strategy;
  return saved.empty() ? config.parallel.strategy : saved;
}

CaseDescription describe(const SweepCase& point, const SuiteEnvironment& environment) {
  const ReshardConfig& reshard = point.config.reshard;
  CaseDescription description =
      describe_io_case(reshard_family, Operation::load, point, environment);
  const int save_ranks = world_of(reshard.save_ranks, environment.comm);
  const int load_ranks = world_of(reshard.load_ranks, environment.comm);
  const std::string from = fmt::format("{}@{}", saved_strategy(point.config), save_ranks);
  description.world_size = load_ranks;
  description.name += fmt::format("/from:{}/on:{}", from, load_ranks);
  description.extra +=
      fmt::format("{}from {}{}", description.extra.empty() ? "" : " ", from,
                  reshard.load_ranks == 0 ? "" : fmt::format(" on {}", load_ranks));
  description.keys["saved_strategy"] = saved_strategy(point.config);
  description.keys["saved_ranks"] = std::to_string(save_ranks);
  description.keys["load_ranks"] = std::to_string(load_ranks);
  description.keys["load_checksum"] = point.config.load.checksum;
  const std::int64_t wanted = std::max(reshard.save_ranks, reshard.load_ranks);
  if (!backend_of(point.config.storage).has_file_layouts) {
    description.skipped = "storage.backend is not \"hdf5\": nothing that another world could load";
  } else if (wanted > environment.comm.size()) {
    description.skipped =
        fmt::format("needs {} ranks, {} were launched", wanted, environment.comm.size());
  }
  return description;
}

class ReshardCase final : public BenchmarkCase {
 public:
  ReshardCase(const SweepCase& point, SuiteEnvironment& environment,
              std::shared_ptr<SavedCheckpoints> saved)
      : BenchmarkCase(describe(point, environment)),
        config_(point.config),
        environment_(environment),
        saved_(std::move(saved)) {}

  Status set_up() override {
    const Communicator& all = environment_.comm;
    SHARDMARK_ASSIGN_OR_RETURN(checkpoint_,
                               saved_->acquire(config_, world_of(config_.reshard.save_ranks, all)));
    world_.emplace(all, world_of(config_.reshard.load_ranks, all));
    return {};
  }

  Status prepare() override {
    std::vector<FileRange> ranges;
    SHARDMARK_RETURN_IF_ERROR(environment_.comm.agree(loads() ? plan(ranges) : Status()));
    cold_ = cache_state(ranges, config_.run.cold_read, environment_.comm);
    if (config_.run.cold_read && uses_page_cache(config_.storage)) {
      environment_.free_memory.touch(loads() ? workload_->local_num_bytes() : 0);
    }
    return {};
  }

  Status operate() override {
    report_ = {};
    if (loads()) {
      SHARDMARK_ASSIGN_OR_RETURN(report_,
                                 load(workload_->state_dict(), options(), *world_->comm()));
    }
    return {};
  }

  Status check(Measurement& measurement) override {
    const Communicator& all = environment_.comm;
    std::array<std::int64_t, 4> sums = {report_.num_bytes, report_.bytes_read,
                                        report_.bytes_received, report_.read_requests};
    all.all_reduce(std::span<std::int64_t>(sums), MPI_SUM);
    constexpr std::int64_t none = std::numeric_limits<std::int64_t>::max();
    const std::int64_t smallest =
        all.all_reduce(report_.read_requests > 0 ? report_.smallest_request : none, MPI_MIN);
    const std::int64_t needed = sums[0] - sums[2];  // of storage
    measurement.phase_list = load_phases;
    measurement.phases = report_.phases;
    measurement.num_bytes = sums[0];
    measurement.bytes_read = report_.bytes_read;
    measurement.read_requests = report_.read_requests;
    if (world_->ranks() == all.size()) {
      measurement.balanced_bytes = report_.num_bytes;
    }
    measurement.verify_bytes_read = all.all_reduce(report_.verify_bytes_read, MPI_MAX);
    measurement.cold = cold_;
    auto& metrics = measurement.metrics;
    metrics["bytes_needed"] = static_cast<double>(needed);
    metrics["bytes_received"] = static_cast<double>(sums[2]);
    metrics["smallest_request_bytes"] = smallest == none ? 0 : static_cast<double>(smallest);
    metrics["amplification"] =
        needed > 0 ? static_cast<double>(sums[1]) / static_cast<double>(needed) : 1;
    Status checked;
    if (config_.run.verify != "none") {
      if (loads()) {
        checked = workload_->check(checkpoint_->seed);
      }
      measurement.verified = true;
    }
    return checked;
  }

  Status tear_down() override {
    if (world_) {
      world_->close();
    }
    return checkpoint_ ? saved_->release(*checkpoint_) : Status();
  }

 private:
  bool loads() const noexcept { return world_->comm() != nullptr; }

  /// Collective over the loading world.
  Status plan(std::vector<FileRange>& ranges) {
    auto own = saved_->workload(config_, world_->ranks());
    SHARDMARK_RETURN_IF_ERROR(world_->comm()->agree(Status(own)));
    workload_ = *own;
    workload_->poison();
    SHARDMARK_ASSIGN_OR_RETURN(ranges, plan_load_ranges(std::as_const(*workload_).state_dict(),
                                                        options(), *world_->comm()));
    return {};
  }

  LoadOptions options() const {
    return load_options(config_, checkpoint_->directory, checkpoint_->step);
  }

  Config config_;
  SuiteEnvironment& environment_;
  std::shared_ptr<SavedCheckpoints> saved_;  // lives as long as the last case of the matrix
  std::optional<CheckpointSteps::Checkpoint> checkpoint_;
  std::optional<FirstRanks> world_;
  Workload* workload_ = nullptr;
  CacheReport cold_;
  LoadReport report_;
};

}  // namespace

CaseMaker reshard_cases(SuiteEnvironment& environment) {
  // The last case of the matrix takes it along.
  return [&environment,
          saved = std::make_shared<SavedCheckpoints>(environment)](const SweepCase& point) {
    Cases cases;
    cases.push_back(std::make_unique<ReshardCase>(point, environment, saved));
    return cases;
  };
}

Status check_reshard(const SweepCase& point, SuiteEnvironment& /*environment*/) {
  const std::string& from = point.config.load.from;
  return from.empty()
             ? Status()
             : Status(
                   Error{ErrorCode::invalid_argument,
                         fmt::format("load.from = \"{}\": the family reshard loads what it saves "
                                     "itself; expected run.benchmarks without it",
                                     from)});
}

std::string saving_side(const Config& config) {
  return fmt::format("{} {} {} {} {}", config.model.name, saved_strategy(config),
                     config.reshard.save_ranks, config.storage.layout, config.storage.io);
}

}  // namespace shardmark::bench
