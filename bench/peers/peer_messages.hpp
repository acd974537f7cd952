// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "shardmark/core/result.hpp"

namespace shardmark::bench {

// What is said to an adapter and what it says, a JSON document a line; the other side is
// scripts/shardmark_tools/peers/protocol.py.

/// One engine, as `scripts/peer list` has it.
struct PeerEngine {
  std::string name = {};
  std::string python = {};                  // that runs its adapter
  std::string program = {};                 // of the engine
  std::optional<std::string> missing = {};  // why it is not found here
  bool o_direct = false;                    // past the page cache
  bool saves = true;
  bool loads = true;
};

/// What a rank stores of one tensor.
struct PeerPart {
  std::string fqn;
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> offsets;
  std::vector<std::int64_t> sizes;
};

struct PeerRequest {
  bool saves = true;
  int rank = 0;
  int ranks = 1;
  int nodes = 1;
  std::string program;
  std::string directory;
  std::int64_t num_bytes = 0;
  std::string meeting;
  std::int64_t piece_bytes = 0;  // at most, and of so many threads: for who moves whole pieces
  int threads = 1;
  const std::vector<PeerPart>& parts;
};

/// One rank's report after its operation.
struct PeerReport {
  double own_s = 0;
  std::int64_t num_bytes = 0;
  std::vector<std::string> files;
  std::optional<bool> synced;
  std::optional<double> returned_s;
  std::optional<bool> verified;
  std::optional<std::int64_t> peak_memory_bytes;
  std::optional<std::int64_t> piece_bytes;  // of who moves whole pieces, and its threads
  std::optional<std::int64_t> threads;
};

/// Local. One line.
std::string request_line(const PeerRequest& request);

/// Local. Errors: data_loss for what is no such list.
Result<std::vector<PeerEngine>> parse_engines(const std::string& text);
/// Local. The files of "ready". Errors of this and of what follows: data_loss for anything that is
/// not what was asked for; io_error with the reason of "failed".
Result<std::vector<std::string>> parse_ready(const std::string& line);
Status parse_done(const std::string& line);
/// Times and counts are numbers that can be.
Result<PeerReport> parse_report(const std::string& line);

}  // namespace shardmark::bench
