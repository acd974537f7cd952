// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/structure_hash.hpp"

#include <fcntl.h>

#include <algorithm>
#include <vector>

#include "shardmark/core/checksum.hpp"
#include "shardmark/storage/posix/file.hpp"

namespace shardmark {

Result<std::uint64_t> structure_hash(const std::string& entry_file, const Manifest& manifest) {
  std::vector<std::pair<std::int64_t, std::int64_t>> elements;  // address, bytes
  for (std::size_t i = 0; i < manifest.entries.entries.size(); ++i) {
    const std::int64_t num_bytes = manifest.entries.entries[i].num_bytes();
    if (manifest.locations[i].file == 0 && num_bytes > 0) {
      elements.emplace_back(manifest.locations[i].address, num_bytes);
    }
  }
  std::sort(elements.begin(), elements.end());
  SHARDMARK_ASSIGN_OR_RETURN(const std::int64_t size, file_size(entry_file));
  elements.emplace_back(size, 0);

  SHARDMARK_ASSIGN_OR_RETURN(const FileDescriptor file, open_file(entry_file, O_RDONLY));
  constexpr std::int64_t buffer_bytes = std::int64_t{1} << 20;
  std::vector<std::byte> buffer(static_cast<std::size_t>(std::min(size, buffer_bytes)));
  StreamingChecksum checksum;
  std::int64_t at = 0;
  for (const auto& [address, num_bytes] : elements) {
    while (at < address) {
      const auto piece =
          std::span(buffer).first(static_cast<std::size_t>(std::min(buffer_bytes, address - at)));
      SHARDMARK_RETURN_IF_ERROR(read_at(file, entry_file, piece, at));
      checksum.update(piece);
      at += static_cast<std::int64_t>(piece.size());
    }
    at = address + num_bytes;
  }
  return checksum.digest();
}

}  // namespace shardmark
