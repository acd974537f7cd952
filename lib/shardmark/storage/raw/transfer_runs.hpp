// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "shardmark/core/box.hpp"
#include "shardmark/core/tensor_view.hpp"
#include "shardmark/storage/format/manifest.hpp"
#include "shardmark/storage/raw/strided_runs.hpp"

namespace shardmark {

/// A box on its way between memory and a file.
template <typename Byte>
struct RawTransfer {
  StoredPiece piece;               // where its elements lie
  Box box;                         // in the global tensor, inside the piece
  BasicTensorView<Byte> elements;  // sizes equal box.sizes
  std::string_view fqn = {};       // for whoever watches
};

/// Bytes that lie end to end in file and memory alike.
template <typename Byte>
struct RawRun {
  std::size_t transfer = 0;  // position in the list
  std::uint64_t file = 0;
  std::int64_t offset = 0;
  Byte* data = nullptr;
  std::int64_t num_bytes = 0;
  bool last = false;  // of its transfer
};

/// Walks all runs of many transfers by file and offset ascending, so that neighbours in the file
/// come one after the other even where transfers interleave row by row. The runs of one transfer
/// come in the row-major order of its box.
template <typename Byte>
class TransferRuns {
 public:
  /// `transfers` must outlive this; boxes in one file must not overlap.
  explicit TransferRuns(std::span<const RawTransfer<Byte>> transfers);

  bool done() const noexcept { return active_.empty(); }
  /// The next run; at most `max_bytes` of it (at least one element).
  RawRun<Byte> take(std::int64_t max_bytes);

 private:
  struct Cursor {
    std::size_t transfer;
    std::int64_t base;  // offset in the file of the box's first element
    StridedRuns in_file;
    StridedRuns in_memory;
    std::int64_t used_in_file = 0;  // elements of the current runs
    std::int64_t used_in_memory = 0;
  };
  /// Heap order: by file, then by offset.
  static std::pair<std::uint64_t, std::int64_t> key(std::span<const RawTransfer<Byte>> transfers,
                                                    const Cursor& cursor) noexcept;
  bool later(const Cursor& a, const Cursor& b) const noexcept {
    return key(transfers_, a) > key(transfers_, b);
  }
  void admit();

  std::span<const RawTransfer<Byte>> transfers_;
  std::vector<std::size_t> order_;  // transfers by where they begin
  std::size_t next_ = 0;            // of order_
  std::vector<Cursor> active_;      // a heap, the earliest first
};

extern template class TransferRuns<std::byte>;
extern template class TransferRuns<const std::byte>;

}  // namespace shardmark
