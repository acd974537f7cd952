// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "bench/config/config.hpp"
#include "bench/peers/peer_messages.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"

namespace shardmark::bench {

/// Local. What the configuration names in [peers], by key.
std::map<std::string, std::string> named_programs(const Config& config);

/// Collective. The engines that there are adapters for, and which of them rank 0's node has. The
/// same on all ranks. Errors, agreed: not_found if scripts/peer or a Python is not here, and those
/// of parse_engines.
Result<std::vector<PeerEngine>> find_engines(const std::map<std::string, std::string>& programs,
                                             const Communicator& comm);

/// Local. Starts an engine's adapter on this rank: program and arguments.
Result<std::vector<std::string>> adapter_words(const PeerEngine& engine);

}  // namespace shardmark::bench
