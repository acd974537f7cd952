// SPDX-License-Identifier: Apache-2.0
#include "bench/save/save_measurement.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string>

namespace shardmark::bench {
namespace {

/// Of all ranks together; seconds of the rank that has most.
void add_counters(const SaveReport& report, const Config& config, const Communicator& comm,
                  Measurement& measurement) {
  const WriteCounters& counters = report.counters;
  std::array<std::int64_t, 6> sums = {counters.bytes_staged,        counters.bytes_o_direct,
                                      counters.misaligned_requests, counters.small_requests,
                                      counters.bytes_exchanged,     counters.messages};
  comm.all_reduce(std::span<std::int64_t>(sums), MPI_SUM);
  const auto [staged, o_direct, misaligned, small, exchanged, messages] = sums;
  auto& metrics = measurement.metrics;
  metrics["bytes_staged"] = static_cast<double>(staged);
  measurement.overlapped_s = counters.overlapped_s;
  metrics["overlapped_s"] = comm.all_reduce(counters.overlapped_s, MPI_MAX);
  metrics["exposed_s"] = comm.all_reduce(counters.exposed_s, MPI_MAX);
  // Who writes through HDF5 or keeps nothing has no requests of its own to count.
  if (config.storage.io == "direct" && !report.path.empty()) {
    metrics["bytes_o_direct"] = static_cast<double>(o_direct);
    metrics["misaligned_requests"] = static_cast<double>(misaligned);
    metrics["small_requests"] = static_cast<double>(small);
    metrics["bytes_exchanged"] = static_cast<double>(exchanged);
    metrics["messages"] = static_cast<double>(messages);
    measurement.o_direct_actual = config.storage.o_direct && o_direct > 0;
  }
}

}  // namespace

void describe_save(const SaveReport& report, const Config& config, const Communicator& comm,
                   Measurement& measurement) {
  measurement.phase_list = save_phases;
  measurement.phases = report.phases;
  measurement.events = report.events;
  measurement.returned_s = report.returned_s;
  measurement.durable_s = report.durable_s;
  measurement.num_bytes = report.num_bytes;
  measurement.bytes_written = report.bytes_written;
  measurement.write_requests = report.write_requests;
  measurement.balanced_bytes = report.bytes_written;
  const Inventory& inventory = report.inventory;
  measurement.metrics["metadata_bytes"] = static_cast<double>(inventory.metadata_bytes);
  measurement.metrics["checksum_bytes"] = static_cast<double>(inventory.checksum_bytes);
  if (!report.path.empty()) {
    measurement.inventory = DiskInventory{.files = inventory.files,
                                          .num_bytes = inventory.num_bytes,
                                          .padding_bytes = inventory.padding_bytes};
  }
  if (report.statistics) {
    const SavePlanStatistics& plan = *report.statistics;
    measurement.metrics["items"] = static_cast<double>(plan.items);
    measurement.metrics["deduplicated_bytes"] = static_cast<double>(plan.deduplicated_bytes);
  }
  add_counters(report, config, comm, measurement);
}

void describe_hashing(const SaveReport& report, const Communicator& comm,
                      Measurement& measurement) {
  const auto add = [&](const std::string& kind, const HashCounters& own) {
    const std::int64_t num_bytes = comm.all_reduce(own.num_bytes, MPI_SUM);
    const double seconds = comm.all_reduce(own.seconds, MPI_SUM);
    if (num_bytes > 0) {
      measurement.metrics["hashed_" + kind + "_bytes"] = static_cast<double>(num_bytes);
      measurement.metrics["hashed_" + kind + "_s"] = seconds;  // of all ranks, one after another
    }
  };
  add("contiguous", report.counters.hashed_contiguous);
  add("strided", report.counters.hashed_strided);
}

}  // namespace shardmark::bench
