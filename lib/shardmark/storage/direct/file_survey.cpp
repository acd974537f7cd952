// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/direct/file_survey.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "shardmark/core/rounding.hpp"
#include "shardmark/storage/posix/file.hpp"

namespace shardmark {
namespace {

constexpr int survey_tag = 16;
constexpr std::int64_t zero_scan_bytes = std::int64_t{1} << 20;

/// The ranges of a file that elements and their padding take.
std::vector<ByteRange> element_ranges(const Manifest& manifest, std::uint64_t file) {
  std::vector<ByteRange> ranges;
  const auto add = [&](std::uint64_t in, std::int64_t address, std::int64_t num_bytes) {
    if (in == file && num_bytes > 0) {
      ranges.push_back({address, address + num_bytes});
    }
  };
  for (std::size_t i = 0; i < manifest.entries.entries.size(); ++i) {
    const Entry& entry = manifest.entries.entries[i];
    const EntryLocation& location = manifest.locations[i];
    if (location.stored_as == StoredAs::whole) {
      add(location.file, location.address, entry.num_bytes());
      continue;
    }
    for (std::uint64_t c = entry.first_chunk; c < entry.first_chunk + entry.num_chunks; ++c) {
      const StoredPiece piece = manifest.piece_of(i, c);
      add(piece.file, piece.address, volume(piece.sizes) * element_size(entry.dtype));
    }
  }
  return merged(std::move(ranges));
}

Result<bool> is_zero(const FileDescriptor& file, const std::string& path, ByteRange range) {
  const off_t data = ::lseek(file.get(), range.begin, SEEK_DATA);
  if ((data < 0 && errno == ENXIO) || data >= range.end) {
    return true;
  }
  std::vector<std::byte> bytes;
  for (std::int64_t at = range.begin; at < range.end; at += zero_scan_bytes) {
    bytes.resize(static_cast<std::size_t>(std::min(zero_scan_bytes, range.end - at)));
    SHARDMARK_RETURN_IF_ERROR(read_at(file, path, bytes, at));
    if (std::any_of(bytes.begin(), bytes.end(), [](std::byte b) { return b != std::byte{0}; })) {
      return false;
    }
  }
  return true;
}

/// What lies between the elements and was put there by whoever laid the file out, besides what is
/// to come in `foreign`. `size`: what is looked at of a file that grows meanwhile; -1: all of it.
Result<ExchangedFile> survey(const std::string& path, std::uint64_t number, int keeper,
                             std::int64_t block, std::vector<ByteRange> elements,
                             std::vector<ByteRange> foreign, std::int64_t size = -1) {
  if (size < 0) {
    SHARDMARK_ASSIGN_OR_RETURN(size, file_size(path));
  }
  SHARDMARK_ASSIGN_OR_RETURN(const FileDescriptor file, open_file(path, O_RDONLY));
  // To the end of the last element's block, which is written whole.
  const ByteRange all{0,
                      elements.empty() ? 0 : std::min(round_up(elements.back().end, block), size)};
  for (const ByteRange& gap : subtract({&all, 1}, elements)) {
    SHARDMARK_ASSIGN_OR_RETURN(const bool empty, is_zero(file, path, gap));
    if (!empty) {
      foreign.push_back(gap);
    }
  }
  // Pages as they are now must not be taken for what other clients will have written.
  (void)::posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED);
  return make_exchanged_file(number, size, keeper, std::move(elements), std::move(foreign), block);
}

Result<ExchangedFile> survey_entry_file(const PlacedFiles& placed, const Manifest& manifest) {
  std::vector<ByteRange> foreign;
  if (manifest.checksums_address >= 0) {
    const std::int64_t begin = manifest.checksums_address;
    foreign.push_back(
        {begin, begin + static_cast<std::int64_t>(8 * manifest.entries.num_chunks())});
  }
  if (placed.manifest_address >= 0) {
    foreign.push_back({placed.manifest_address, placed.manifest_address + placed.manifest_bytes});
  }
  return survey(placed.paths[0], 0, 0, placed.clients.block_bytes, element_ranges(manifest, 0),
                std::move(foreign), placed.laid_out_bytes);
}

Result<ExchangedFile> survey_own_file(const PlacedFiles& placed, int rank) {
  std::vector<ByteRange> elements;
  for (const auto& [address, num_bytes] : placed.own_elements) {
    elements.push_back({address, address + num_bytes});
  }
  return survey(placed.paths[placed.own_file], placed.own_file, rank, placed.clients.block_bytes,
                merged(std::move(elements)), {});
}

}  // namespace

Result<std::vector<ExchangedFile>> survey_files(const PlacedFiles& placed, const Manifest& manifest,
                                                const Communicator& comm) {
  std::vector<std::int64_t> leaders(placed.paths.size(), comm.size());
  leaders[placed.own_file] = comm.rank();
  leaders.front() = 0;
  comm.all_reduce(leaders, MPI_MIN);
  // A file of one rank has one writer already.
  const std::size_t count = placed.layout == FileLayout::per_rank ? 1 : placed.paths.size();
  std::vector<ExchangedFile> own;
  Status surveyed;
  const auto keep = [&](Result<ExchangedFile> file) {
    surveyed = surveyed ? Status(file) : surveyed;
    if (file) {
      own.push_back(std::move(*file));
    }
  };
  if (comm.is_root()) {
    keep(survey_entry_file(placed, manifest));
  }
  if (placed.own_file > 0 && placed.own_file < count && placed.leads_own_file) {
    keep(survey_own_file(placed, comm.rank()));
  }
  SHARDMARK_RETURN_IF_ERROR(comm.agree(surveyed));
  if (!comm.is_root()) {
    if (!own.empty()) {
      comm.send(encode(own), 0, survey_tag);
    }
    return std::vector<ExchangedFile>();
  }
  for (std::size_t f = 1; f < count; ++f) {
    if (leaders[f] > 0 && leaders[f] < comm.size()) {
      auto files =
          decode_exchanged_files(comm.recv(static_cast<int>(leaders[f]), survey_tag), comm.size());
      surveyed = surveyed ? Status(files) : surveyed;
      if (files) {
        own.insert(own.end(), files->begin(), files->end());
      }
    }
  }
  std::erase_if(own, [](const ExchangedFile& file) { return file.num_bytes == 0; });
  std::sort(own.begin(), own.end(),
            [](const ExchangedFile& a, const ExchangedFile& b) { return a.file < b.file; });
  if (!surveyed) {
    own.clear();
  }
  return own;
}

std::int64_t element_bytes(const ExchangedFile& file) {
  std::int64_t num_bytes = file.num_bytes;
  for (const ByteRange& range : file.outside) {
    num_bytes -= range.num_bytes();
  }
  return num_bytes;
}

std::int64_t bytes_in_short_rows(const Manifest& manifest, std::int64_t least) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < manifest.entries.entries.size(); ++i) {
    const Entry& entry = manifest.entries.entries[i];
    for (std::uint64_t c = entry.first_chunk; c < entry.first_chunk + entry.num_chunks; ++c) {
      const Box box = manifest.chunks.box(c, entry.sizes.ndim());
      const StoredPiece piece = manifest.piece_of(i, c);
      std::int64_t row = element_size(entry.dtype);
      bool whole = true;
      for (int d = entry.sizes.ndim() - 1; d >= 0 && whole; --d) {
        row *= box.sizes[d];
        whole = box.sizes[d] == piece.sizes[d];
      }
      // What is whole may well lie beside others of its writer.
      if (!whole && row < least) {
        sum += box.num_elements() * element_size(entry.dtype);
      }
    }
  }
  return sum;
}

}  // namespace shardmark
