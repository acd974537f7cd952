// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/raw/structure_hash.hpp"

#include <fcntl.h>

#include <algorithm>
#include <vector>

#include "shardmark/core/checksum.hpp"
#include "shardmark/storage/posix/file.hpp"

namespace shardmark {

std::vector<std::pair<std::int64_t, std::int64_t>> ranges_outside_elements(
    const Manifest& manifest, std::int64_t file_bytes) {
  std::vector<std::pair<std::int64_t, std::int64_t>> elements;  // address, bytes
  for (std::size_t i = 0; i < manifest.entries.entries.size(); ++i) {
    const Entry& entry = manifest.entries.entries[i];
    if (manifest.locations[i].stored_as == StoredAs::whole) {
      if (manifest.locations[i].file == 0 && entry.num_bytes() > 0) {
        elements.emplace_back(manifest.locations[i].address, entry.num_bytes());
      }
      continue;
    }
    for (std::uint64_t c = 0; c < entry.num_chunks; ++c) {
      const StoredPiece piece = manifest.piece_of(i, entry.first_chunk + c);
      if (piece.file == 0) {
        const Box box = manifest.chunks.box(entry.first_chunk + c, entry.sizes.ndim());
        const std::int64_t itemsize = element_size(entry.dtype);
        for_each_run(relative_to(box, piece.offsets), piece.sizes,
                     [&](std::int64_t element, std::int64_t count) {
                       elements.emplace_back(piece.address + element * itemsize, count * itemsize);
                     });
      }
    }
  }
  std::sort(elements.begin(), elements.end());
  elements.emplace_back(file_bytes, 0);
  std::vector<std::pair<std::int64_t, std::int64_t>> outside;
  std::int64_t at = 0;
  for (const auto& [address, num_bytes] : elements) {
    if (at < address) {
      outside.emplace_back(at, address);
    }
    at = address + num_bytes;
  }
  return outside;
}

Result<std::uint64_t> structure_hash(const std::string& entry_file, const Manifest& manifest) {
  SHARDMARK_ASSIGN_OR_RETURN(const std::int64_t size, file_size(entry_file));
  SHARDMARK_ASSIGN_OR_RETURN(const FileDescriptor file, open_file(entry_file, O_RDONLY));
  constexpr std::int64_t buffer_bytes = std::int64_t{1} << 20;
  std::vector<std::byte> buffer(static_cast<std::size_t>(std::min(size, buffer_bytes)));
  StreamingChecksum checksum;
  for (const auto& [begin, end] : ranges_outside_elements(manifest, size)) {
    for (std::int64_t at = begin; at < end;) {
      const auto piece =
          std::span(buffer).first(static_cast<std::size_t>(std::min(buffer_bytes, end - at)));
      SHARDMARK_RETURN_IF_ERROR(read_at(file, entry_file, piece, at));
      checksum.update(piece);
      at += static_cast<std::int64_t>(piece.size());
    }
  }
  return checksum.digest();
}

}  // namespace shardmark
