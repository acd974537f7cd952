// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bench/ceiling/ceiling_kind.hpp"
#include "bench/ceiling/ceiling_memory.hpp"

namespace shardmark::bench {

/// Which bytes a rank moves: the stored bytes of all ranks stand one after another, each rank's
/// rounded up to whole blocks, since O_DIRECT can do no other.
class CeilingShares {
 public:
  /// Local. `stored`: what each rank writes; `wanted`: what each rank reads.
  CeilingShares(std::vector<std::int64_t> stored, std::vector<std::int64_t> wanted);

  int num_ranks() const noexcept { return static_cast<int>(stored_.size()); }
  std::int64_t total_bytes() const noexcept { return starts_.back(); }
  std::int64_t file_bytes(std::size_t rank) const noexcept { return stored_[rank]; }

  /// Local. Pieces of at most `piece_bytes` of what `rank` writes, at most `limit_bytes` in all.
  /// In one file, which begins at `address`, or in file `rank` from its begin.
  std::vector<CeilingPiece> written(int rank, std::int64_t piece_bytes, FileSharing sharing,
                                    std::int64_t limit_bytes) const;
  /// Local. Of what it reads: from its own bytes on, round all ranks' bytes, as often as it takes
  /// to get what it wants.
  std::vector<CeilingPiece> read(int rank, std::int64_t piece_bytes, FileSharing sharing,
                                 std::int64_t address, std::int64_t limit_bytes) const;

 private:
  void append(std::vector<CeilingPiece>& pieces, std::size_t file, std::int64_t from,
              std::int64_t num_bytes, std::int64_t piece_bytes, FileSharing sharing,
              std::int64_t address) const;

  std::vector<std::int64_t> stored_;  // by rank, whole blocks
  std::vector<std::int64_t> wanted_;  // likewise
  std::vector<std::int64_t> starts_;  // of each rank's bytes among all, then their number
};

}  // namespace shardmark::bench
