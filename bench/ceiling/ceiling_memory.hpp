// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/workload/host_buffer.hpp"

namespace shardmark::bench {

/// One piece of a transfer: bytes [offset, offset + num_bytes) of file `file`, which are bytes
/// [position, ...) of all ranks' bytes in rank order.
struct CeilingPiece {
  std::size_t file = 0;
  std::int64_t offset = 0;
  std::int64_t position = 0;
  std::int64_t num_bytes = 0;
};

/// Where a rank's bytes come from and go to: two touched buffers as large as its tensors, since
/// moving to and from little memory again and again is faster. Where that is too much, the pieces
/// go round and round in what there is. What belongs at a position follows from seed and period
/// alone, so every piece can be checked on any rank.
class CeilingMemory {
 public:
  /// Local. The bytes after which a rank's bytes may repeat if it moves up to `num_bytes`: whole
  /// huge pages, at most `limit` bytes of them but no less than the largest piece.
  static std::int64_t period_for(std::int64_t num_bytes, std::int64_t limit);

  /// Local. Room for this period. Errors: those of HostBuffer::make.
  Status reserve(std::int64_t period_bytes);

  /// Local. Fills the source; the same on all ranks. There must be room for the period.
  void fill(std::uint64_t seed, std::int64_t period_bytes);
  /// Local. Nothing of the source is left in the target.
  void poison();

  std::span<const std::byte> source(const CeilingPiece& piece) const;
  std::span<std::byte> target(const CeilingPiece& piece) const;

  /// Local. Errors: data_loss naming the first piece whose target is not its source.
  Status compare(std::span<const CeilingPiece> pieces) const;

 private:
  std::size_t place(const CeilingPiece& piece) const;

  HostBuffer source_;
  HostBuffer target_;
  std::int64_t period_bytes_ = 1;
};

}  // namespace shardmark::bench
