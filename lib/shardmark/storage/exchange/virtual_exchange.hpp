// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "shardmark/storage/exchange/regions.hpp"
#include "shardmark/storage/exchange/shared_staging.hpp"
#include "shardmark/storage/posix/striping.hpp"
#include "shardmark/storage/raw/transfer_runs.hpp"

namespace shardmark {

/// What one rank sends in an exchange.
struct ExchangeTraffic {
  std::int64_t messages = 0;
  std::int64_t num_bytes = 0;  // of elements

  friend bool operator==(const ExchangeTraffic&, const ExchangeTraffic&) = default;
};

/// A save whose ranks have no processes.
struct VirtualExchange {
  std::span<const ExchangedFile> files;
  Dealing dealing;
  std::int64_t region_bytes = 0;
  std::int64_t least_own_bytes = 0;
  Striping striping = {};  // of the files
  std::int64_t write_block = SharedStaging::block_bytes;
};

/// Local. By rank, what the same save of real ranks sends between nodes. `transfers_of` gives what
/// a rank writes, padding included; its memory is never touched. One node at a time is looked at.
std::vector<ExchangeTraffic> count_traffic(
    const VirtualExchange& exchange,
    const std::function<std::vector<RawTransfer<const std::byte>>(int rank)>& transfers_of);

}  // namespace shardmark
