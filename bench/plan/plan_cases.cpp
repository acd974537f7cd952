// SPDX-License-Identifier: Apache-2.0
#include "bench/plan/plan_cases.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <utility>

#include "bench/config/lib_options.hpp"
#include "bench/harness/measure/case_naming.hpp"
#include "bench/harness/measure/collective_timer.hpp"
#include "bench/plan/virtual_plan_case.hpp"
#include "bench/plan/virtual_planning.hpp"
#include "shardmark/checkpoint/mpi_plan_exchange.hpp"
#include "shardmark/checkpoint/plan_phase.hpp"
#include "shardmark/plan/load/load_plan.hpp"
#include "shardmark/plan/save/save_planner.hpp"

namespace shardmark::bench {
namespace {

constexpr std::array<Phase, 2> load_plan_phases = {Phase::hooks, Phase::load_plan};

/// One planning of a save: what this rank got.
struct Planned {
  SavePlanning planning;
  std::shared_ptr<const SavePlan> own;
};

/// Collective.
Result<Planned> plan_save(SavePlanner& planner, const StateDict& state_dict,
                          const SuiteEnvironment& environment, const OnPlanStep& on_step) {
  MpiPlanExchange exchange(environment.comm, &environment.topology);
  Planned planned;
  SHARDMARK_ASSIGN_OR_RETURN(
      planned.planning,
      planner.plan({.state_dict_of = [&](int) -> Result<const StateDict*> { return &state_dict; },
                    .exchange = exchange,
                    .take =
                        [&](int, std::shared_ptr<const SavePlan> plan) {
                          planned.own = std::move(plan);
                          return Status();
                        },
                    .on_step = on_step}));
  return planned;
}

/// Collective. What a message costs between rank 0 and the highest rank.
struct LinkSpeed {
  double latency_s = 0;
  double bytes_per_s = 0;
};

/// The better half of round trips: a loaded machine only ever adds.
double round_trip_s(const Communicator& comm, std::size_t num_bytes, int rounds) {
  constexpr int tag = 7;
  const int last = comm.size() - 1;
  const std::vector<std::byte> message(num_bytes);
  std::vector<double> times;
  for (int i = 0; i < rounds; ++i) {
    const double start_s = steady_seconds();
    if (comm.rank() == 0) {
      comm.send(message, last, tag);
      static_cast<void>(comm.recv(last, tag));
    } else if (comm.rank() == last) {
      comm.send(comm.recv(0, tag), 0, tag);
    }
    times.push_back(steady_seconds() - start_s);
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 4];
}

LinkSpeed measure_link(const Communicator& comm) {
  constexpr std::size_t big = std::size_t{1} << 20;
  const double latency_s = round_trip_s(comm, 8, 200) / 2;
  const double big_s = round_trip_s(comm, big, 20) / 2;
  return {latency_s, static_cast<double>(big) / std::max(big_s - latency_s, 1e-9)};
}

std::int64_t planned_bytes(const Planned& planned) {
  std::int64_t sum = 0;
  for (const PlannedWrite& write : planned.own->writes) {
    const Entry& entry = planned.planning.entries->entries[write.entry];
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

  Status set_up() override {
    planner_ = configured_planner(config_);
    if (environment_.comm.size() > 1) {
      link_ = measure_link(environment_.comm);
    }
    return {};
  }

  Status prepare() override {
    SHARDMARK_ASSIGN_OR_RETURN(workload_, environment_.workloads.get(config_, Memory::none));
    planned_.reset();
    return {};
  }

  Status operate() override {
    PhaseClock clock(Phase::hooks);
    auto planned = plan_save(*planner_, workload_->state_dict(), environment_,
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
    if (auto& global = planned_->planning.global) {
      global->ensure_statistics();
      const SavePlanStatistics& statistics = global->statistics;
      auto& metrics = measurement.metrics;
      metrics["items"] = static_cast<double>(statistics.items);
      metrics["deduplicated_bytes"] = static_cast<double>(statistics.deduplicated_bytes);
      metrics["chunks"] = static_cast<double>(global->chunks.size());
      metrics["wire_bytes"] =
          static_cast<double>(statistics.bytes_gathered + statistics.bytes_scattered);
    }
    if (link_) {
      measurement.metrics["link_latency_s"] = link_->latency_s;
      measurement.metrics["link_bytes_per_s"] = link_->bytes_per_s;
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
  std::optional<LinkSpeed> link_;
  std::unique_ptr<SavePlanner> planner_;  // kept, so that a cached one finds its plan
  PhaseTimes times_;
};

class LoadPlanCase final : public BenchmarkCase {
 public:
  LoadPlanCase(CaseDescription description, const SweepCase& point, SuiteEnvironment& environment)
      : BenchmarkCase(std::move(description)), config_(point.config), environment_(environment) {}

  /// Everybody gets the chunks that a save of this configuration stores, as a manifest would tell.
  Status set_up() override {
    SHARDMARK_RETURN_IF_ERROR(environment_.comm.agree(prepare()));
    const auto planning = plan_of_save();
    SHARDMARK_RETURN_IF_ERROR(environment_.comm.agree(Status(planning)));
    ByteWriter writer;
    if (planning->global) {
      encode(*planning->entries, writer);
      encode(planning->global->chunks, *planning->entries, writer);
    }
    std::vector<std::byte> bytes = std::move(writer).take();
    environment_.comm.broadcast(bytes);
    ByteReader reader(bytes);
    SHARDMARK_ASSIGN_OR_RETURN(entries_, decode_entry_table(reader));
    SHARDMARK_ASSIGN_OR_RETURN(chunks_, decode_chunk_table(reader, entries_));
    return {};
  }

  Status prepare() override {
    SHARDMARK_ASSIGN_OR_RETURN(workload_, environment_.workloads.get(config_, Memory::none));
    // The last round's lists go here, where nobody measures: they are thousands of small blocks.
    wanted_.reset();
    plan_ = {};
    return {};
  }

  Status operate() override {
    PhaseClock clock(Phase::hooks);
    auto wanted = collect_wanted(workload_->state_dict());
    clock.enter(Phase::load_plan);
    Status status(wanted);
    if (status) {
      wanted_ = std::move(*wanted);
      auto plan = make_load_plan(*wanted_, entries_, chunks_);
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
  /// By all real ranks, or by rank 0 for a virtual world.
  Result<SavePlanning> plan_of_save() {
    if (config_.run.world == 0) {
      const auto planner = configured_planner(config_);
      SHARDMARK_ASSIGN_OR_RETURN(Planned planned, plan_save(*planner, workload_->state_dict(),
                                                            environment_, [](PlanStep) {}));
      return std::move(planned.planning);
    }
    if (!environment_.comm.is_root()) {
      return SavePlanning{};
    }
    SHARDMARK_ASSIGN_OR_RETURN(VirtualPlanning world,
                               VirtualPlanning::make(config_, config_.run.world));
    return world.plan();
  }

  Config config_;
  SuiteEnvironment& environment_;
  Workload* workload_ = nullptr;
  EntryTable entries_;
  ChunkTable chunks_;
  std::optional<std::vector<WantedEntry>> wanted_;
  LoadPlan plan_;
  PhaseTimes times_;
};

}  // namespace

CaseMaker plan_cases(SuiteEnvironment& environment) {
  return [&environment](const SweepCase& point) {
    Cases cases;
    const PlannerConfig& planner = point.config.planner;
    CaseDescription save = describe_planning_case(plan_family, planner.kind, point, environment);
    save.keys["planner"] = planner.kind;
    save.keys["dedup"] = planner.dedup;
    if (save.is_virtual) {
      cases.push_back(make_virtual_plan_case(std::move(save), point, environment));
    } else {
      cases.push_back(std::make_unique<SavePlanCase>(std::move(save), point, environment));
    }
    CaseDescription load = describe_planning_case(plan_family, "load", point, environment);
    load.keys["planner"] = "load";
    cases.push_back(std::make_unique<LoadPlanCase>(std::move(load), point, environment));
    return cases;
  };
}

}  // namespace shardmark::bench
