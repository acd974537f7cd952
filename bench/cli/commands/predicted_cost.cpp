// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/commands/predicted_cost.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <utility>

namespace shardmark::bench {
namespace {

constexpr std::int64_t request_bytes = std::int64_t{16} << 20;
constexpr std::int64_t commit_calls = 6;  // COMMIT made and synced, entry file, two folders, rename
constexpr std::int64_t open_calls = 4;    // of rank 0: folder, COMMIT, entry file, its size

std::int64_t sum(std::span<const std::int64_t> values) {
  return std::accumulate(values.begin(), values.end(), std::int64_t{0});
}

std::int64_t requests_for(std::int64_t num_bytes) {
  return num_bytes == 0 ? 0 : (num_bytes + request_bytes - 1) / request_bytes;
}

/// What one way asks, however fast the storage.
struct Demand {
  double plan_s = 0;
  double node_bytes = 0;  // of the node with most
  double all_bytes = 0;
  double all_requests = 0;
  double rank_requests = 0;  // of the rank with most
  double metadata_calls = 0;
};

/// Bytes of the node with most.
std::int64_t busiest_node(std::span<const std::int64_t> by_rank, std::int64_t ranks_per_node) {
  std::int64_t most = 0;
  const auto width = static_cast<std::size_t>(ranks_per_node);
  for (std::size_t at = 0; at < by_rank.size(); at += width) {
    most = std::max(most, sum(by_rank.subspan(at, std::min(width, by_rank.size() - at))));
  }
  return most;
}

Demand demand_of(std::span<const std::int64_t> by_rank, std::int64_t node_bytes,
                 std::int64_t all_bytes) {
  Demand demand;
  demand.node_bytes = static_cast<double>(node_bytes);
  demand.all_bytes = static_cast<double>(all_bytes);
  for (const std::int64_t num_bytes : by_rank) {
    const auto requests = static_cast<double>(requests_for(num_bytes));
    demand.all_requests += requests;
    demand.rank_requests = std::max(demand.rank_requests, requests);
  }
  return demand;
}

struct Part {
  double seconds = 0;
  const char* name = "";
};

/// The slowest of what a transfer can wait for.
Part transfer(const Demand& demand, const StorageModel& model, bool saves) {
  const std::array<Part, 4> parts = {{
      {demand.node_bytes / (saves ? model.node_rate : model.load_node_rate),
       "bytes of the busiest node / its rate"},
      {demand.all_bytes / (saves ? model.total_rate : model.load_total_rate),
       "all bytes / the rate in all"},
      {demand.all_requests / model.requests, "requests / requests a second"},
      {demand.rank_requests * model.latency, "requests of the busiest rank x latency"},
  }};
  return *std::ranges::max_element(parts, {}, &Part::seconds);
}

double operation_s(const Demand& demand, const StorageModel& model, bool saves) {
  return model.fixed + demand.plan_s + demand.metadata_calls / model.metadata +
         transfer(demand, model, saves).seconds;
}

/// Student's, two-sided 95 %, by the expansion of Cornish and Fisher; of the normal without
/// samples.
double quantile(const std::optional<std::int64_t>& samples) {
  constexpr double z = 1.959964;
  if (!samples) {
    return z;
  }
  const double v = static_cast<double>(std::max<std::int64_t>(*samples - 2, 3));
  const double z3 = z * z * z;
  const double z5 = z3 * z * z;
  return z + (z3 + z) / (4 * v) + (5 * z5 + 16 * z3 + 3 * z) / (96 * v * v) +
         (3 * z5 * z * z + 19 * z5 + 17 * z3 - 15 * z) / (384 * v * v * v);
}

/// The interval of a time: what one save strays by, and what each number of the description may be
/// wrong by, carried through the law.
void add_interval(Foretold& foretold, const StorageModel& model,
                  const std::function<double(const StorageModel&)>& law) {
  if (!model.spread || foretold.value <= 0) {
    return;
  }
  double variance = *model.spread * *model.spread;
  for (const StorageParameter& parameter : storage_parameters) {
    const auto error = model.errors.find(std::string(parameter.key));
    if (error == model.errors.end() || error->second == 0) {
      continue;
    }
    StorageModel more = model;
    StorageModel less = model;
    more.*parameter.value *= std::exp(error->second);
    less.*parameter.value *= std::exp(-error->second);
    const double half = std::log(law(more) / law(less)) / 2;
    variance += half * half;
  }
  const double reach = std::exp(quantile(model.samples) * std::sqrt(variance));
  foretold.low = foretold.value / reach;
  foretold.high = foretold.value * reach;
}

Foretold operation(const Demand& demand, const StorageModel& model, bool saves) {
  const Part slowest = transfer(demand, model, saves);
  Foretold made;
  made.value = operation_s(demand, model, saves);
  made.law =
      fmt::format("fixed + {}{} metadata calls / their rate + the largest transfer: {}",
                  saves ? "planning as played here + " : "", demand.metadata_calls, slowest.name);
  add_interval(made, model,
               [&](const StorageModel& other) { return operation_s(demand, other, saves); });
  return made;
}

Foretold stall(const PlannedWork& work, const Foretold& save, std::int64_t node_held,
               const StorageModel& model) {
  if (!work.async) {
    Foretold made = save;
    made.law = "the whole save: storage.async is off";
    return made;
  }
  const auto law = [&](const StorageModel& other) {
    return work.plan_s + static_cast<double>(node_held) / other.memory_rate;
  };
  Foretold made;
  made.value = law(model);
  made.law = model.memory_rate == StorageModel::unlimited
                 ? "planning as played here; copying is not counted without memory_rate"
                 : "planning as played here + bytes of the busiest node / memory_rate";
  add_interval(made, model, law);
  return made;
}

Foretold memory(const PlannedWork& work, std::int64_t node_held, std::int64_t ranks) {
  Foretold made;
  made.value = static_cast<double>(node_held + ranks * work.staging_per_rank);
  made.low = static_cast<double>(node_held);
  made.high = made.value;
  made.law = fmt::format("tensors of the busiest node{} + at most what its ranks stage",
                         work.async ? ", the pool of storage.async" : "");
  return made;
}

}  // namespace

PredictedCost predict_cost(const PlannedWork& work, const StorageModel& model) {
  const auto world = static_cast<std::int64_t>(work.written.size());
  const std::int64_t ranks = std::min(model.ranks_per_node, world);
  const std::int64_t stored = sum(work.written);
  const std::int64_t node_held = busiest_node(work.held, ranks);
  PredictedCost cost;
  cost.nodes = (world + ranks - 1) / ranks;
  cost.files = work.files;
  cost.messages = work.messages;
  Demand save;
  if (work.files > 0) {  // else what is saved is discarded
    cost.metadata_calls = 2 * work.files + 2 * world + commit_calls;
    save = demand_of(work.written, busiest_node(work.written, ranks), stored);
  }
  save.plan_s = work.plan_s;
  save.metadata_calls = static_cast<double>(cost.metadata_calls);
  cost.requests = static_cast<std::int64_t>(save.all_requests);
  // Ranks of a node read what several want once, and no node reads more than there is.
  const std::int64_t node_read = std::min(node_held, stored);
  Demand load = demand_of(work.held, node_read, std::min(sum(work.held), cost.nodes * stored));
  load.metadata_calls = static_cast<double>(world + open_calls);
  cost.save_s = operation(save, model, true);
  cost.load_s = operation(load, model, false);
  cost.stall_s = stall(work, cost.save_s, node_held, model);
  cost.memory_per_node_bytes = memory(work, node_held, ranks);
  return cost;
}

}  // namespace shardmark::bench
