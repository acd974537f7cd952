// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>

namespace shardmark {

/// Requests below this many bytes count as small.
inline constexpr std::int64_t small_request_bytes = std::int64_t{64} << 10;

/// HDF5's reasons why a collective transfer was none (H5Pget_mpio_no_collective_cause), or-ed.
struct CollectiveCause {
  std::uint32_t own = 0;  // of this rank
  std::uint32_t any = 0;  // of any rank
};

/// Bytes hashed and the seconds that took.
struct HashCounters {
  std::int64_t num_bytes = 0;
  double seconds = 0;
};

/// What a writer did, on this rank.
struct WriteCounters {
  std::int64_t bytes_written = 0;
  std::int64_t write_requests = 0;
  std::int64_t bytes_staged = 0;          // copied on their way
  std::uint32_t no_collective_cause = 0;  // HDF5's bits where a collective transfer was not one
  std::map<std::uint32_t, CollectiveCause> broken;  // by entry, where a transfer was not collective
  HashCounters hashed_contiguous;                   // of the back end null
  HashCounters hashed_strided;
  std::int64_t bytes_o_direct = 0;       // of bytes_written, those past the page cache
  std::int64_t misaligned_requests = 0;  // of raw requests, those that share a block with others
  std::int64_t small_requests = 0;       // of raw requests, those below small_request_bytes
  double overlapped_s = 0;               // hashing and copying while writes were under way
  double exposed_s = 0;                  // hashing and copying while nothing was written
  std::string o_direct_reason;           // why O_DIRECT was wanted and not used; empty if it was
  std::int64_t bytes_exchanged = 0;      // put where another rank writes them from
  std::int64_t messages = 0;             // sent for the exchange
  std::int64_t bytes_sent = 0;           // elements in them
  std::string exchange;                  // level at which ranks wrote together; empty: not asked
  std::string exchange_why;              // why at this level
};

/// What a reader did, on this rank.
struct ReadCounters {
  /// Asked of files: gaps read across count, rounding to blocks does not.
  std::int64_t bytes_read = 0;
  std::int64_t read_requests = 0;
  std::int64_t bytes_staged = 0;      // copied on their way
  std::int64_t bytes_o_direct = 0;    // past the page cache, in whole blocks
  std::string o_direct_reason;        // why O_DIRECT was wanted and not used; empty if it was
  std::int64_t smallest_request = 0;  // bytes; 0 without requests
  std::int64_t bytes_exchanged = 0;   // copied out of memory that ranks share
  std::int64_t messages = 0;          // sent for the exchange
  std::int64_t bytes_repeated = 0;    // wanted by more than one rank: on one rank, for all
  std::string exchange;               // level at which ranks read together; empty: not asked
  std::string exchange_why;           // why at this level

  /// Local. Adds what another reader did.
  void merge(const ReadCounters& other) noexcept {
    if (other.read_requests > 0) {
      smallest_request = read_requests == 0 ? other.smallest_request
                                            : std::min(smallest_request, other.smallest_request);
    }
    bytes_read += other.bytes_read;
    read_requests += other.read_requests;
    bytes_staged += other.bytes_staged;
  }
  /// Local. Counts one request.
  void add(std::int64_t num_bytes) noexcept {
    smallest_request = read_requests == 0 ? num_bytes : std::min(smallest_request, num_bytes);
    bytes_read += num_bytes;
    ++read_requests;
  }
};

}  // namespace shardmark
