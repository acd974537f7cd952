// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace shardmark::bench {

/// What this process has taken from the heap. Only where allocation_counter.cpp is linked, which
/// replaces operator new: in microbenchmarks, never in the command.
struct Allocations {
  std::uint64_t count = 0;      // calls of operator new so far
  std::int64_t live_bytes = 0;  // not yet given back, as malloc rounds them
  std::int64_t peak_bytes = 0;  // most that was live since the last reset_peak()
};

Allocations allocations() noexcept;
void reset_peak() noexcept;

}  // namespace shardmark::bench
