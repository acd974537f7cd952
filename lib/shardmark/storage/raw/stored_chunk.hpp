// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "shardmark/core/box.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/storage/format/manifest.hpp"
#include "shardmark/storage/posix/file.hpp"

namespace shardmark {

/// Hashes chunks as they lie in a file, read past HDF5 by their address. Not for several threads.
class StoredChunkHasher {
 public:
  /// Local. XXH3-64 of the elements of `box` in the box's own row-major order, which lies in
  /// `piece`. Rows that lie close together are read at once. Errors: io_error, data_loss where the
  /// file ends early.
  Result<std::uint64_t> hash(const FileDescriptor& file, const std::string& path,
                             const StoredPiece& piece, std::int64_t itemsize, const Box& box);

  /// Bytes read so far, gaps between rows included.
  std::int64_t bytes_read() const noexcept { return bytes_read_; }

 private:
  std::vector<std::byte> window_;
  std::int64_t bytes_read_ = 0;
};

}  // namespace shardmark
