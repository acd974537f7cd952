// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/raw/structure_hash.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "shardmark/core/checksum.hpp"
#include "shardmark/plan/tables/chunk_numbers.hpp"
#include "shardmark/storage/posix/file.hpp"

namespace shardmark {

namespace {

/// Calls `add(file, address, bytes)` for each run of elements.
template <typename Add>
void for_each_element_range(const Manifest& manifest, const Add& add) {
  for (std::size_t i = 0; i < manifest.entries.entries.size(); ++i) {
    const Entry& entry = manifest.entries.entries[i];
    const EntryLocation& location = manifest.locations[i];
    if (location.stored_as == StoredAs::whole) {
      if (entry.num_bytes() > 0) {
        add(location.file, location.address, entry.num_bytes());
      }
      continue;
    }
    const std::int64_t itemsize = element_size(entry.dtype);
    for (const std::uint64_t c : ChunkNumbers(entry)) {
      const StoredPiece piece = manifest.piece_of(i, c);
      const Box box = manifest.chunks.box(c, entry.sizes.ndim());
      for_each_run(relative_to(box, piece.offsets), piece.sizes,
                   [&](std::int64_t element, std::int64_t count) {
                     add(piece.file, piece.address + element * itemsize, count * itemsize);
                   });
    }
  }
}

}  // namespace

std::vector<ElementRanges> element_ranges(const Manifest& manifest) {
  std::vector<ElementRanges> ranges(manifest.files.size());
  for_each_element_range(manifest,
                         [&](std::uint64_t file, std::int64_t address, std::int64_t num_bytes) {
                           ranges[file].emplace_back(address, num_bytes);
                         });
  return ranges;
}

ElementRanges entry_file_elements(const Manifest& manifest) {
  ElementRanges ranges;
  for_each_element_range(manifest,
                         [&](std::uint64_t file, std::int64_t address, std::int64_t num_bytes) {
                           if (file == 0) {
                             ranges.emplace_back(address, num_bytes);
                           }
                         });
  return ranges;
}

std::vector<std::pair<std::int64_t, std::int64_t>> ranges_outside(ElementRanges elements,
                                                                  std::int64_t file_bytes) {
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

namespace {

Result<std::uint64_t> hash_ranges(const std::string& path, const ElementRanges& elements) {
  SHARDMARK_ASSIGN_OR_RETURN(const std::int64_t size, file_size(path));
  SHARDMARK_ASSIGN_OR_RETURN(const FileDescriptor file, open_file(path, O_RDONLY));
  constexpr std::int64_t buffer_bytes = std::int64_t{1} << 20;
  std::vector<std::byte> buffer(static_cast<std::size_t>(std::min(size, buffer_bytes)));
  StreamingChecksum checksum;
  for (const auto& [begin, end] : ranges_outside(elements, size)) {
    for (std::int64_t at = begin; at < end;) {
      const auto piece =
          std::span(buffer).first(static_cast<std::size_t>(std::min(buffer_bytes, end - at)));
      SHARDMARK_RETURN_IF_ERROR(read_at(file, path, piece, at));
      checksum.update(piece);
      at += static_cast<std::int64_t>(piece.size());
    }
  }
  return checksum.digest();
}

}  // namespace

Result<std::uint64_t> hash_outside(const std::string& path, const ElementRanges& elements,
                                   ReadFrom from) {
  SHARDMARK_ASSIGN_OR_RETURN(const std::uint64_t cached, hash_ranges(path, elements));
  if (from == ReadFrom::cache) {
    return cached;
  }
  const FileRange file{path, 0, 0};
  SHARDMARK_RETURN_IF_ERROR(drop_cached_pages({&file, 1}));
  SHARDMARK_ASSIGN_OR_RETURN(const std::uint64_t stored, hash_ranges(path, elements));
  SHARDMARK_RETURN_IF_ERROR(drop_cached_pages({&file, 1}));
  if (stored != cached) {
    return Error{
        ErrorCode::io_error,
        fmt::format(
            "{}: bytes outside the elements were written without an error but did not reach the file",
            path)};
  }
  return stored;
}

}  // namespace shardmark
