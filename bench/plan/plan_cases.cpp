// SPDX-License-Identifier: Apache-2.0
#include "bench/plan/plan_cases.hpp"

#include <fmt/format.h>

#include <array>
#include <numeric>
#include <optional>
#include <utility>

#include "bench/config/lib_options.hpp"
#include "bench/harness/case_naming.hpp"
#include "shardmark/checkpoint/mpi_plan_exchange.hpp"
#include "shardmark/checkpoint/plan_phase.hpp"
#include "shardmark/plan/load_plan.hpp"
#include "shardmark/plan/save_planner.hpp"

namespace shardmark::bench {
namespace {

constexpr std::array<Phase, 6> save_plan_phases = {Phase::hooks,   Phase::local_plan,
                                                   Phase::gather,  Phase::global_plan,
                                                   Phase::scatter, Phase::wait};
constexpr std::array<Phase, 2> load_plan_phases = {Phase::hooks, Phase::load_plan};

/// One planning of a save: what this rank got.
struct Planned {
  SavePlanning planning;
  SavePlan own;
};

/// Collective.
Result<Planned> plan_save(const Config& config, const StateDict& state_dict,
                          const SuiteEnvironment& environment, const OnPlanStep& on_step) {
  MpiPlanExchange exchange(environment.comm, &environment.topology);
  const auto planner = make_coordinator_save_planner(dedup_policy(config));
  Planned planned;
  SHARDMARK_ASSIGN_OR_RETURN(
      planned.planning,
      planner->plan([&](int) -> Result<const StateDict*> { return &state_dict; }, exchange,
                    [&](int, SavePlan&& plan) {
                      planned.own = std::move(plan);
                      return Status();
                    },
                    on_step));
  return planned;
}

std::int64_t planned_bytes(const Planned& planned) {
  std::int64_t sum = 0;
  for (const PlannedWrite& write : planned.own.writes) {
    const Entry& entry = planned.planning.entries.entries[write.entry];
    sum += volume(write.box.sizes) * element_size(entry.dtype);
  }
  return sum;
}

Status expect_bytes(std::string_view what, std::int64_t found, std::int64_t expected) {
  if (found == expected) {
    return {};
  }
  return Error{ErrorCode::internal,
               fmt::format("{} {} bytes, the model has {}", what, found, expected)};
}

class SavePlanCase final : public BenchmarkCase {
 public:
  SavePlanCase(CaseDescription description, const SweepCase& point, SuiteEnvironment& environment)
      : BenchmarkCase(std::move(description)), config_(point.config), environment_(environment) {}

  Status prepare() override {
    SHARDMARK_ASSIGN_OR_RETURN(workload_, environment_.workloads.get(config_, Memory::none));
    planned_.reset();
    return {};
  }

  Status operate() override {
    PhaseClock clock(Phase::hooks);
    auto planned = plan_save(config_, workload_->state_dict(), environment_,
                             [&](PlanStep step) { clock.enter(phase_of(step)); });
    times_ = clock.stop();
    SHARDMARK_RETURN_IF_ERROR(planned);
    planned_ = std::move(*planned);
    return {};
  }

  Status check(Measurement& measurement) override {
    const std::int64_t own_bytes = planned_bytes(*planned_);
    const std::int64_t all_bytes = environment_.comm.all_reduce(own_bytes, MPI_SUM);
    measurement.phase_list = save_plan_phases;
    measurement.phases = times_;
    measurement.num_bytes = all_bytes;
    measurement.balanced_bytes = own_bytes;
    if (const auto& global = planned_->planning.global) {
      const SavePlanStatistics& statistics = global->statistics;
      auto& metrics = measurement.metrics;
      metrics["items"] = static_cast<double>(statistics.items);
      metrics["deduplicated_bytes"] = static_cast<double>(statistics.deduplicated_bytes);
      metrics["chunks"] = static_cast<double>(global->chunks.size());
      metrics["wire_bytes"] =
          static_cast<double>(statistics.bytes_gathered + statistics.bytes_scattered);
    }
    SHARDMARK_RETURN_IF_ERROR(
        expect_bytes("the ranks' plans write", all_bytes, workload_->global_num_bytes()));
    measurement.verified = true;
    return {};
  }

 private:
  Config config_;
  SuiteEnvironment& environment_;
  Workload* workload_ = nullptr;
  std::optional<Planned> planned_;
  PhaseTimes times_;
};

class LoadPlanCase final : public BenchmarkCase {
 public:
  LoadPlanCase(CaseDescription description, const SweepCase& point, SuiteEnvironment& environment)
      : BenchmarkCase(std::move(description)), config_(point.config), environment_(environment) {}

  /// Everybody gets the chunks that a save of this configuration stores, as a manifest would tell.
  Status set_up() override {
    SHARDMARK_RETURN_IF_ERROR(environment_.comm.agree(prepare()));
    SHARDMARK_ASSIGN_OR_RETURN(Planned planned, plan_save(config_, workload_->state_dict(),
                                                          environment_, [](PlanStep) {}));
    ByteWriter writer;
    if (planned.planning.global) {
      encode(planned.planning.global->chunks, planned.planning.entries, writer);
    }
    std::vector<std::byte> bytes = std::move(writer).take();
    environment_.comm.broadcast(bytes);
    entries_ = std::move(planned.planning.entries);
    ByteReader reader(bytes);
    SHARDMARK_ASSIGN_OR_RETURN(chunks_, decode_chunk_table(reader, entries_));
    return {};
  }

  Status prepare() override {
    SHARDMARK_ASSIGN_OR_RETURN(workload_, environment_.workloads.get(config_, Memory::none));
    return {};
  }

  Status operate() override {
    PhaseClock clock(Phase::hooks);
    const auto wanted = collect_wanted(workload_->state_dict());
    clock.enter(Phase::load_plan);
    Status status(wanted);
    if (status) {
      auto plan = make_load_plan(*wanted, entries_, chunks_);
      status = Status(plan);
      if (status) {
        plan_ = std::move(*plan);
      }
    }
    times_ = clock.stop();
    return status;
  }

  Status check(Measurement& measurement) override {
    measurement.phase_list = load_plan_phases;
    measurement.phases = times_;
    measurement.num_bytes = environment_.comm.all_reduce(plan_.num_bytes, MPI_SUM);
    measurement.balanced_bytes = plan_.num_bytes;
    measurement.metrics["reads"] = static_cast<double>(
        environment_.comm.all_reduce(static_cast<std::int64_t>(plan_.reads.size()), MPI_SUM));
    SHARDMARK_RETURN_IF_ERROR(
        expect_bytes("this rank's plan reads", plan_.num_bytes, workload_->local_num_bytes()));
    measurement.verified = true;
    return {};
  }

 private:
  Config config_;
  SuiteEnvironment& environment_;
  Workload* workload_ = nullptr;
  EntryTable entries_;
  ChunkTable chunks_;
  LoadPlan plan_;
  PhaseTimes times_;
};

}  // namespace

std::vector<std::unique_ptr<BenchmarkCase>> make_plan_cases(const SweepCase& point,
                                                            SuiteEnvironment& environment) {
  std::vector<std::unique_ptr<BenchmarkCase>> cases;
  const PlannerConfig& planner = point.config.planner;
  CaseDescription save = describe_planning_case("plan", planner.kind, point, environment);
  save.keys["planner"] = planner.kind;
  save.keys["dedup"] = planner.dedup;
  cases.push_back(std::make_unique<SavePlanCase>(std::move(save), point, environment));
  CaseDescription load = describe_planning_case("plan", "load", point, environment);
  load.keys["planner"] = "load";
  cases.push_back(std::make_unique<LoadPlanCase>(std::move(load), point, environment));
  return cases;
}

}  // namespace shardmark::bench
