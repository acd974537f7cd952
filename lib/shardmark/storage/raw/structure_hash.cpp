// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/raw/structure_hash.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "shardmark/core/checksum.hpp"
#include "shardmark/core/rounding.hpp"
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

/// Has the kernel begin to read ranges well before their turn: the thousand gaps between tensors
/// are otherwise a thousand waits for the device.
class ReadsAhead {
 public:
  ReadsAhead(const FileDescriptor& file,
             std::span<const std::pair<std::int64_t, std::int64_t>> ranges)
      : file_(file), ranges_(ranges) {}

  /// Of a read of so many bytes: no less than a page.
  static std::int64_t cost_of(std::int64_t num_bytes) {
    return std::max(num_bytes, default_block_bytes);
  }

  /// `done`: cost of what has been read.
  void advance(std::int64_t done) {
    for (; next_ < ranges_.size() && begun_ - done < most_bytes; ++next_) {
      const auto [begin, end] = ranges_[next_];
      const std::int64_t num_bytes = std::min(end - begin, most_bytes);  // the kernel follows on
      static_cast<void>(::posix_fadvise(file_.get(), begin, num_bytes, POSIX_FADV_WILLNEED));
      begun_ += cost_of(end - begin);
    }
  }

 private:
  static constexpr std::int64_t most_bytes = std::int64_t{16} << 20;

  const FileDescriptor& file_;
  std::span<const std::pair<std::int64_t, std::int64_t>> ranges_;
  std::size_t next_ = 0;
  std::int64_t begun_ = 0;
};

Result<std::uint64_t> hash_ranges(const std::string& path, const ElementRanges& elements) {
  SHARDMARK_ASSIGN_OR_RETURN(const std::int64_t size, file_size(path));
  SHARDMARK_ASSIGN_OR_RETURN(const FileDescriptor file, open_file(path, O_RDONLY));
  constexpr std::int64_t buffer_bytes = std::int64_t{1} << 20;
  std::vector<std::byte> buffer(static_cast<std::size_t>(std::min(size, buffer_bytes)));
  const auto ranges = ranges_outside(elements, size);
  ReadsAhead ahead(file, ranges);
  StreamingChecksum checksum;
  std::int64_t done = 0;
  for (const auto& [begin, end] : ranges) {
    ahead.advance(done);
    for (std::int64_t at = begin; at < end;) {
      const auto piece =
          std::span(buffer).first(static_cast<std::size_t>(std::min(buffer_bytes, end - at)));
      SHARDMARK_RETURN_IF_ERROR(read_at(file, path, piece, at));
      checksum.update(piece);
      at += static_cast<std::int64_t>(piece.size());
    }
    done += ReadsAhead::cost_of(end - begin);
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
