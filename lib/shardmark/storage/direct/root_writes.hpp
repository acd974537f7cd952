// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"

namespace shardmark {

/// Small pieces of the entry file that rank 0 writes for all: what lies beside other ranks' bytes
/// everywhere, so that no two clients of a file system are at one page because of it.
class RootWrites {
 public:
  void add(std::int64_t offset, std::span<const std::byte> bytes);

  /// Collective; the status is not agreed. Rank 0 gets what every rank has added and writes it to
  /// `path`; neighbours go in one request. Returns how many requests this rank made. Empty after
  /// it.
  Result<std::int64_t> write(const std::string& path, const Communicator& comm);

 private:
  struct Piece {
    std::int64_t offset = 0;
    std::vector<std::byte> bytes;
  };

  std::vector<std::byte> encode() const;
  Status append(std::span<const std::byte> encoded);

  std::vector<Piece> pieces_;
};

}  // namespace shardmark
