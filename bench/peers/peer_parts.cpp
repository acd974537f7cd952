// SPDX-License-Identifier: Apache-2.0
#include "bench/peers/peer_parts.hpp"

#include <memory>

#include "bench/config/lib_options.hpp"
#include "shardmark/checkpoint/mpi_plan_exchange.hpp"
#include "shardmark/plan/save/save_planner.hpp"

namespace shardmark::bench {
namespace {

std::vector<std::int64_t> listed(const Dims& dims) {
  return {dims.begin(), dims.end()};
}

}  // namespace

Result<PeerParts> peer_parts(const Config& config, SuiteEnvironment& environment) {
  const auto workload = environment.workloads.get(config, Memory::none);
  SHARDMARK_RETURN_IF_ERROR(environment.comm.agree(Status(workload)));
  const StateDict& state_dict = (*workload)->state_dict();
  MpiPlanExchange exchange(environment.comm, &environment.topology);
  std::shared_ptr<const SavePlan> own;
  const auto planner = configured_planner(config);
  SHARDMARK_ASSIGN_OR_RETURN(
      const SavePlanning planning,
      planner->plan({.state_dict_of = [&](int) -> Result<const StateDict*> { return &state_dict; },
                     .exchange = exchange,
                     .take =
                         [&](int, std::shared_ptr<const SavePlan> plan) {
                           own = std::move(plan);
                           return Status();
                         }}));
  PeerParts made;
  for (const PlannedWrite& write : own->writes) {
    const Entry& entry = planning.entries->entries[write.entry];
    made.parts.push_back({.fqn = entry.fqn,
                          .dtype = std::string(dtype_name(entry.dtype)),
                          .shape = listed(entry.sizes),
                          .offsets = listed(write.box.offsets),
                          .sizes = listed(write.box.sizes)});
    made.num_bytes += volume(write.box.sizes) * element_size(entry.dtype);
  }
  made.stored_bytes = environment.comm.all_reduce(made.num_bytes, MPI_SUM);
  made.wanted_bytes = environment.comm.all_reduce((*workload)->local_num_bytes(), MPI_SUM);
  return made;
}

}  // namespace shardmark::bench
