// SPDX-License-Identifier: Apache-2.0
#include "bench/plan/virtual_plan_case.hpp"

#include <fmt/format.h>

#include <optional>
#include <span>
#include <utility>

#include "bench/harness/measure/workload_pool.hpp"
#include "bench/plan/virtual_planning.hpp"

namespace shardmark::bench {
namespace {

class VirtualPlanCase final : public BenchmarkCase {
 public:
  VirtualPlanCase(CaseDescription description, const SweepCase& point,
                  SuiteEnvironment& environment)
      : BenchmarkCase(std::move(description)), config_(point.config), environment_(environment) {}

  Status set_up() override {
    if (environment_.comm.is_root()) {
      SHARDMARK_ASSIGN_OR_RETURN(world_, VirtualPlanning::make(config_, config_.run.world));
    }
    return {};
  }

  Status prepare() override {
    planning_ = {};
    return {};
  }

  Status operate() override {
    Status status;
    std::vector<double> seconds(static_cast<std::size_t>(environment_.comm.size()) * num_phases);
    if (world_) {
      auto planning = world_->plan();
      status = Status(planning);
      if (planning) {
        planning_ = std::move(*planning);
        fill(seconds);
      }
    }
    environment_.comm.broadcast(std::as_writable_bytes(std::span(seconds)), 0);
    const auto own = std::span(seconds).subspan(
        static_cast<std::size_t>(environment_.comm.rank()) * num_phases, num_phases);
    std::copy(own.begin(), own.end(), times_.seconds.begin());
    return status;
  }

  std::optional<double> own_seconds() const override { return times_.total_s(); }

  Status check(Measurement& measurement) override {
    measurement.phase_list = save_plan_phases;
    measurement.phases = times_;
    measurement.verified = true;
    if (!world_) {
      return {};
    }
    GlobalSavePlan& global = *planning_.global;
    global.ensure_statistics();
    const SavePlanStatistics& statistics = global.statistics;
    measurement.num_bytes = statistics.num_bytes;
    auto& metrics = measurement.metrics;
    metrics["items"] = static_cast<double>(statistics.items);
    metrics["deduplicated_bytes"] = static_cast<double>(statistics.deduplicated_bytes);
    metrics["chunks"] = static_cast<double>(global.chunks.size());
    const PlanTraffic& traffic = world_->traffic();
    metrics["messages"] = static_cast<double>(traffic.messages);
    metrics["wire_bytes"] = static_cast<double>(traffic.bytes_gathered + traffic.bytes_scattered +
                                                traffic.bytes_broadcast);
    metrics["played_ranks"] = static_cast<double>(world_->played_ranks().size());
    if (statistics.num_bytes != world_->global_num_bytes()) {
      return Error{ErrorCode::internal,
                   fmt::format("the virtual ranks' plans write {} bytes, the model has {}",
                               statistics.num_bytes, world_->global_num_bytes())};
    }
    return {};
  }

 private:
  /// The timelines of as many played ranks as there are real ones, one after another.
  void fill(std::span<double> seconds) const {
    const auto played = world_->played_ranks();
    for (int process = 0; process < environment_.comm.size(); ++process) {
      const auto at =
          virtual_rank(process, environment_.comm.size(), static_cast<std::int64_t>(played.size()));
      const PhaseTimes timeline = world_->timeline_of(played[static_cast<std::size_t>(at)]);
      std::copy(timeline.seconds.begin(), timeline.seconds.end(),
                seconds.subspan(static_cast<std::size_t>(process) * num_phases).begin());
    }
  }

  Config config_;
  SuiteEnvironment& environment_;
  std::optional<VirtualPlanning> world_;  // rank 0's
  SavePlanning planning_;
  PhaseTimes times_;
};

}  // namespace

std::unique_ptr<BenchmarkCase> make_virtual_plan_case(CaseDescription description,
                                                      const SweepCase& point,
                                                      SuiteEnvironment& environment) {
  return std::make_unique<VirtualPlanCase>(std::move(description), point, environment);
}

}  // namespace shardmark::bench
