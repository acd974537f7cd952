// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/raw/stored_chunk.hpp"

#include <algorithm>

#include "shardmark/core/checksum.hpp"

namespace shardmark {
namespace {

constexpr std::int64_t hash_window_bytes = std::int64_t{4} << 20;
constexpr std::int64_t max_gap_bytes = std::int64_t{64} << 10;

struct ByteRun {
  std::int64_t offset;
  std::int64_t num_bytes;
};

}  // namespace

Result<std::uint64_t> StoredChunkHasher::hash(const FileDescriptor& file, const std::string& path,
                                              const StoredPiece& stored, std::int64_t itemsize,
                                              const Box& box) {
  StreamingChecksum checksum;
  std::vector<ByteRun> pending;  // runs of one window, ascending
  Status status;
  const auto read_window = [&] {
    if (pending.empty() || !status) {
      return;
    }
    const std::int64_t first = pending.front().offset;
    const std::int64_t length = pending.back().offset + pending.back().num_bytes - first;
    window_.resize(static_cast<std::size_t>(std::max(length, hash_window_bytes)));
    const auto bytes = std::span(window_).first(static_cast<std::size_t>(length));
    status = read_at(file, path, bytes, first);
    bytes_read_ += length;
    for (const ByteRun& run : pending) {
      checksum.update(bytes.subspan(static_cast<std::size_t>(run.offset - first),
                                    static_cast<std::size_t>(run.num_bytes)));
    }
    pending.clear();
  };
  for_each_run(relative_to(box, stored.offsets), stored.sizes,
               [&](std::int64_t element, std::int64_t count) {
                 std::int64_t offset = stored.address + element * itemsize;
                 for (std::int64_t left = count * itemsize; left > 0;) {
                   const std::int64_t piece = std::min(left, hash_window_bytes);
                   if (!pending.empty()) {
                     const ByteRun& last = pending.back();
                     const std::int64_t gap = offset - (last.offset + last.num_bytes);
                     if (gap > max_gap_bytes ||
                         offset + piece - pending.front().offset > hash_window_bytes) {
                       read_window();
                     }
                   }
                   pending.push_back({offset, piece});
                   offset += piece;
                   left -= piece;
                 }
               });
  read_window();
  SHARDMARK_RETURN_IF_ERROR(status);
  return checksum.digest();
}

}  // namespace shardmark
