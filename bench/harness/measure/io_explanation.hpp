// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace shardmark::bench {

/// How the elements of one checkpoint were put into files, counted over all ranks.
struct IoFacts {
  std::string backend;         // "hdf5", ...
  std::string requested;       // I/O mode
  std::int64_t num_bytes = 0;  // stored
  // A share is what one rank writes of one tensor; its pieces are the parts that lie end to end.
  std::int64_t shares = 0;
  std::int64_t misaligned_shares = 0;  // that do not begin at a block
  std::int64_t block_bytes = 4096;
  std::int64_t pieces = 0;
  std::int64_t small_pieces = 0;  // below a stripe
  std::int64_t small_piece_bytes = 0;
  std::int64_t stripe_bytes = std::int64_t{1} << 20;  // where nobody says
  /// Of I/O mode direct, after neighbours were merged; they count in place of shares and pieces.
  std::int64_t requests = 0;
  std::int64_t small_requests = 0;       // below small_request_bytes
  std::int64_t misaligned_requests = 0;  // that share a block with others
  std::int64_t metadata_calls = 0;       // into HDF5, all ranks
  bool has_virtual = false;              // datasets that HDF5 has to look through
  std::int64_t datasets = 0;
  double metadata_share = 0;  // of the slowest rank's time, in phases create and commit
  /// Tensors whose collective transfers were none, by HDF5's cause.
  struct BrokenCollective {
    std::uint32_t cause = 0;  // HDF5's bits, or-ed over ranks
    std::vector<std::string> fqns;
    std::vector<int> ranks;  // those whose own cause it was
  };
  std::vector<BrokenCollective> broken;
};

/// One thing that made a save slow, in words.
struct IoExplanation {
  std::string cause;  // "type-conversion", "collective-broken", "tiny-pieces", "misaligned",
                      // "metadata"
  std::string text;
  std::string knob;  // which setting mends it
};

/// Local. HDF5's bits of H5Pget_mpio_no_collective_cause in words: "datatype conversion".
std::string no_collective_cause_text(std::uint32_t bits);

/// Local. What made it slow, the most telling first; empty where nothing did.
std::vector<IoExplanation> explain(const IoFacts& facts);

}  // namespace shardmark::bench
