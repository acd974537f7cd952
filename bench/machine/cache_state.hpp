// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/storage/posix/page_residency.hpp"

namespace shardmark::bench {

/// Where a read can have come from, as far as this side of the network sees it.
enum class CacheState { client_cold, partly_cold, warm, unknown };

/// "client-cold", "partly-cold", "warm", "unknown".
std::string_view cache_state_name(CacheState state) noexcept;

struct CacheReport {
  CacheState state = CacheState::unknown;
  std::optional<double> resident_fraction;  // of the pages that the nodes will read
};

/// Local. Below 1 % resident is cold, above 99 % warm; no pages or no answer: unknown.
CacheReport classify(const std::optional<Residency>& residency);

/// Collective. Residency of every rank's ranges, each asked on its own node, pages summed. With
/// `drop`, the nodes' caches are asked to let go of them first. Never fails: what cannot be found
/// out is unknown.
CacheReport cache_state(std::span<const FileRange> ranges, bool drop, const Communicator& comm);

}  // namespace shardmark::bench
