// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/plan/merge/played_world.hpp"
#include "shardmark/workload/workload.hpp"

namespace shardmark::bench {

/// Local. This rank's workload, or that of the rank which it plays. Errors: those of
/// Workload::make.
Result<Workload> played_workload(const WorkloadOptions& options,
                                 const std::optional<PlayedWorld>& played, Memory memory,
                                 const Communicator& comm);

/// Local. What is measured and what is not there, for the text of a command.
std::string played_lines(const PlayedWorld& played);

}  // namespace shardmark::bench
