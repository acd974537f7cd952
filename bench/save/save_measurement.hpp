// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bench/config/config.hpp"
#include "bench/harness/measure/sample.hpp"
#include "shardmark/checkpoint/save_report.hpp"
#include "shardmark/mpi/communicator.hpp"

namespace shardmark::bench {

/// Collective. What a save reports of itself, as this rank's part of a measurement: phases, times,
/// bytes, requests, what lies on disk, and what became of the elements on their way.
void describe_save(const SaveReport& report, const Config& config, const Communicator& comm,
                   Measurement& measurement);

/// Collective. What hashing alone costs: of the null back end, which writes nothing beside it.
void describe_hashing(const SaveReport& report, const Communicator& comm, Measurement& measurement);

}  // namespace shardmark::bench
