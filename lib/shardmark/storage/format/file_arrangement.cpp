// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/format/file_arrangement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "shardmark/core/by_rank.hpp"
#include "shardmark/storage/format/commit_record.hpp"

namespace shardmark {
namespace {

// HDF5 keeps the bytes of an hdf5_chunk in 32 bits.
constexpr std::int64_t max_hdf5_chunk_bytes = (std::int64_t{1} << 32) - 1;

bool is_small(const Entry& entry) {
  return entry.num_bytes() <= max_packed_bytes;
}

// When "auto" takes a file a rank. Smaller files cost a file system's metadata more than they
// bring; more files, more than the writes gain.
constexpr std::int64_t min_data_file_bytes = std::int64_t{16} << 20;
constexpr std::int64_t max_data_files = 64;
// HDF5 takes some 80 microseconds for a source of a virtual dataset; meanwhile a rank writes this.
constexpr std::int64_t rank_bytes_per_source = std::int64_t{24} << 10;

bool always_plain(const Entry& entry) {
  return entry.kind == EntryKind::object || entry.sizes.empty() || entry.num_bytes() == 0;
}

/// True if the virtual datasets of all tensors of more than `limit` bytes are made in the time in
/// which the ranks write them.
bool pays_as_file_a_rank(const EntryTable& entries, std::int64_t limit, std::int64_t world_size) {
  std::int64_t num_bytes = 0;
  std::int64_t sources = 0;
  for (const Entry& entry : entries.entries) {
    if (!always_plain(entry) && entry.num_bytes() > limit) {
      num_bytes += entry.num_bytes();
      sources += static_cast<std::int64_t>(entry.num_chunks);
    }
  }
  return num_bytes / world_size >= std::max(min_data_file_bytes, sources * rank_bytes_per_source);
}

/// Raw writes may go anywhere, and in a file of its own a rank's chunks lie side by side, whatever
/// its shards, and no other holds its locks. Tensors of more bytes than the result go there; none
/// without one.
std::optional<std::int64_t> limit_for_file_a_rank(const StorageOptions& options,
                                                  const EntryTable& entries,
                                                  std::int64_t world_size) {
  if (options.layout == FileLayout::automatic && options.io == IoMode::direct && world_size > 1 &&
      world_size <= max_data_files) {
    for (const std::int64_t limit : {std::int64_t{0}, max_packed_bytes}) {
      if (pays_as_file_a_rank(entries, limit, world_size)) {
        return limit;
      }
    }
  }
  return std::nullopt;
}

/// Within one file. Small tensors stay plain: those of one rank lie side by side anyway, and a
/// virtual dataset takes HDF5 four times as long as a plain one.
EntryArrangement arrange_automatically(const Entry& entry, const ChunkTable& chunks) {
  if (!has_strided_chunks(entry, chunks)) {
    return {EntryForm::plain, LayoutReason::contiguous_chunks};
  }
  const LayoutReason grid = check_regular_grid(entry, chunks);
  return grid == LayoutReason::as_asked
             ? EntryArrangement{EntryForm::hdf5_chunks, LayoutReason::strided_chunks}
             : EntryArrangement{EntryForm::packed, grid};
}

EntryArrangement arrange_entry(FileLayout layout, const Entry& entry, const ChunkTable& chunks) {
  if (always_plain(entry)) {
    return {EntryForm::plain, LayoutReason::always_plain};
  }
  switch (layout) {
    case FileLayout::shared:
      return {};
    case FileLayout::shared_chunked: {
      const LayoutReason grid = check_regular_grid(entry, chunks);
      return {grid == LayoutReason::as_asked ? EntryForm::hdf5_chunks : EntryForm::plain, grid};
    }
    case FileLayout::per_rank:
    case FileLayout::per_node:
    case FileLayout::groups:
      return {EntryForm::separate, LayoutReason::as_asked};
    case FileLayout::packed:
      return is_small(entry) ? EntryArrangement{EntryForm::packed, LayoutReason::as_asked}
                             : EntryArrangement{EntryForm::plain, LayoutReason::not_small};
    case FileLayout::automatic:
      return arrange_automatically(entry, chunks);
  }
  return {};
}

/// The layout's name where every tensor of one file chose for itself.
FileLayout resolve(const FileArrangement& arrangement) {
  return arrangement.has(EntryForm::hdf5_chunks) ? FileLayout::shared_chunked
         : arrangement.has(EntryForm::packed)    ? FileLayout::packed
                                                 : FileLayout::shared;
}

void name_data_files(FileLayout layout, int groups, std::span<const int> node_of_rank,
                     FileArrangement& arrangement) {
  const auto world_size = static_cast<std::int64_t>(node_of_rank.size());
  std::int64_t num_files = 0;
  const auto file_of = [&](std::int64_t rank) -> std::int64_t {
    switch (layout) {
      case FileLayout::per_rank:
        return rank;
      case FileLayout::per_node:
        return of_rank(node_of_rank, rank);
      case FileLayout::groups:  // neighbours together, sizes differing by one at most
        return rank * std::min<std::int64_t>(groups, world_size) / world_size;
      default:
        return -1;
    }
  };
  for (std::int64_t rank = 0; rank < world_size; ++rank) {
    const std::int64_t file = file_of(rank);
    arrangement.file_of_rank.push_back(static_cast<std::uint64_t>(file + 1));
    num_files = std::max(num_files, file + 1);
  }
  const char* const word = layout == FileLayout::per_rank   ? "rank"
                           : layout == FileLayout::per_node ? "node"
                                                            : "group";
  for (std::int64_t i = 0; i < num_files; ++i) {
    arrangement.files.push_back(fmt::format("{}-{:05}.h5", word, i));
  }
}

}  // namespace

bool FileArrangement::has(EntryForm form) const noexcept {
  return std::any_of(entries.begin(), entries.end(),
                     [&](const EntryArrangement& entry) { return entry.form == form; });
}

LayoutReason check_regular_grid(const Entry& entry, const ChunkTable& chunks) {
  const int ndim = entry.sizes.ndim();
  const Dims first = chunks.box(entry.first_chunk, ndim).sizes;
  const std::int64_t itemsize = element_size(entry.dtype);
  if (volume(first) > max_hdf5_chunk_bytes / itemsize) {
    return LayoutReason::chunk_too_large;
  }
  for (std::uint64_t c = 0; c < entry.num_chunks; ++c) {
    const Box box = chunks.box(entry.first_chunk + c, ndim);
    for (int d = 0; d < ndim; ++d) {
      if (box.offsets[d] % first[d] != 0 ||
          box.sizes[d] != std::min(first[d], entry.sizes[d] - box.offsets[d])) {
        return LayoutReason::no_regular_grid;
      }
    }
  }
  // Where not all tiles are there, HDF5 would make the others.
  double tiles = 1;
  for (int d = 0; d < ndim; ++d) {
    tiles *= std::ceil(static_cast<double>(entry.sizes[d]) / static_cast<double>(first[d]));
  }
  if (tiles != static_cast<double>(entry.num_chunks)) {
    return LayoutReason::no_regular_grid;
  }
  // Elements are below 2^63 bytes and a tile is no longer than its tensor, so doubles do.
  const double stored = static_cast<double>(entry.num_chunks) * static_cast<double>(volume(first));
  return stored > 1.05 * static_cast<double>(volume(entry.sizes)) ? LayoutReason::too_much_padding
                                                                  : LayoutReason::as_asked;
}

bool has_strided_chunks(const Entry& entry, const ChunkTable& chunks) {
  for (std::uint64_t c = 0; c < entry.num_chunks; ++c) {
    const Box box = chunks.box(entry.first_chunk + c, entry.sizes.ndim());
    int d = 0;  // all after the first dimension of more than one slice must be whole
    while (d < box.ndim() && box.sizes[d] == 1) {
      ++d;
    }
    for (++d; d < box.ndim(); ++d) {
      if (box.sizes[d] != entry.sizes[d]) {
        return true;
      }
    }
  }
  return false;
}

StoredAs stored_as(EntryForm form) noexcept {
  switch (form) {
    case EntryForm::plain:
      return StoredAs::whole;
    case EntryForm::hdf5_chunks:
      return StoredAs::hdf5_chunks;
    case EntryForm::separate:
    case EntryForm::packed:
      return StoredAs::separate;
  }
  return StoredAs::whole;
}

FileArrangement arrange_files(const StorageOptions& options, const EntryTable& entries,
                              const ChunkTable& chunks, std::span<const int> node_of_rank,
                              std::int64_t world_size) {
  const auto limit = limit_for_file_a_rank(
      options, entries,
      world_size == 0 ? static_cast<std::int64_t>(node_of_rank.size()) : world_size);
  const FileLayout layout = limit ? FileLayout::per_rank : options.layout;
  FileArrangement arrangement;
  arrangement.files = {entry_file_name};
  name_data_files(layout, options.groups, node_of_rank, arrangement);
  arrangement.entries.reserve(entries.entries.size());
  for (const Entry& entry : entries.entries) {
    EntryArrangement arranged = arrange_entry(layout, entry, chunks);
    if (limit && arranged.form == EntryForm::separate) {
      arranged = entry.num_bytes() > *limit
                     ? EntryArrangement{EntryForm::separate, LayoutReason::file_a_rank}
                     : EntryArrangement{EntryForm::plain, LayoutReason::small_beside};
    }
    arrangement.entries.push_back(arranged);
  }
  arrangement.layout = layout == FileLayout::automatic ? resolve(arrangement) : layout;
  return arrangement;
}

}  // namespace shardmark
