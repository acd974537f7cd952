// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "shardmark/mpi/communicator.hpp"
#include "shardmark/profile/phase_times.hpp"

namespace shardmark::bench {

/// Collective; complete on rank 0. Every rank's phase times in rank order.
std::vector<PhaseTimes> gather_phases(const PhaseTimes& own, const Communicator& comm);

/// Local. {"hooks": {"min", "mean", "max", "slowest_rank"}, ...} in seconds, for every phase of the
/// list. `ranks` says whose times they are, if not those of all ranks in order.
nlohmann::ordered_json phases_document(std::span<const PhaseTimes> by_rank,
                                       std::span<const Phase> phases,
                                       std::span<const int> ranks = {});

/// Local. The same as an aligned table; phases that took no time are left out.
std::string phases_table(std::span<const PhaseTimes> by_rank, std::span<const Phase> phases,
                         std::span<const int> ranks = {});

}  // namespace shardmark::bench
