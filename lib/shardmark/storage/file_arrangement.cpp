// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/file_arrangement.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shardmark/storage/commit_record.hpp"

namespace shardmark {
namespace {

// HDF5 keeps the bytes of an hdf5_chunk in 32 bits.
constexpr std::int64_t max_hdf5_chunk_bytes = (std::int64_t{1} << 32) - 1;

bool is_small(const Entry& entry) {
  return entry.num_bytes() <= max_packed_bytes;
}

/// Small tensors stay plain: those of one rank lie side by side anyway, and a virtual dataset takes
/// HDF5 four times as long as a plain one.
EntryArrangement arrange_automatically(const Entry& entry, const ChunkTable& chunks) {
  if (!has_strided_chunks(entry, chunks)) {
    return {EntryForm::plain, LayoutReason::contiguous_chunks};
  }
  const LayoutReason grid = check_regular_grid(entry, chunks);
  return grid == LayoutReason::as_asked
             ? EntryArrangement{EntryForm::hdf5_chunks, LayoutReason::strided_chunks}
             : EntryArrangement{EntryForm::packed, grid};
}

EntryArrangement arrange_entry(const StorageOptions& options, const Entry& entry,
                               const ChunkTable& chunks) {
  if (entry.kind == EntryKind::object || entry.sizes.empty() || entry.num_bytes() == 0) {
    return {EntryForm::plain, LayoutReason::always_plain};
  }
  switch (options.layout) {
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

/// The layout's name where every tensor chose for itself.
FileLayout resolve(const FileArrangement& arrangement) {
  return arrangement.has(EntryForm::hdf5_chunks) ? FileLayout::shared_chunked
         : arrangement.has(EntryForm::packed)    ? FileLayout::packed
                                                 : FileLayout::shared;
}

void name_data_files(const StorageOptions& options, std::span<const int> node_of_rank,
                     FileArrangement& arrangement) {
  const auto world_size = static_cast<std::int64_t>(node_of_rank.size());
  std::int64_t num_files = 0;
  const auto file_of = [&](std::int64_t rank) -> std::int64_t {
    switch (options.layout) {
      case FileLayout::per_rank:
        return rank;
      case FileLayout::per_node:
        return node_of_rank[static_cast<std::size_t>(rank)];
      case FileLayout::groups:  // neighbours together, sizes differing by one at most
        return rank * std::min<std::int64_t>(options.groups, world_size) / world_size;
      default:
        return -1;
    }
  };
  for (std::int64_t rank = 0; rank < world_size; ++rank) {
    const std::int64_t file = file_of(rank);
    arrangement.file_of_rank.push_back(static_cast<std::uint64_t>(file + 1));
    num_files = std::max(num_files, file + 1);
  }
  const char* const word = options.layout == FileLayout::per_rank   ? "rank"
                           : options.layout == FileLayout::per_node ? "node"
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
                              const ChunkTable& chunks, std::span<const int> node_of_rank) {
  FileArrangement arrangement;
  arrangement.files = {entry_file_name};
  name_data_files(options, node_of_rank, arrangement);
  arrangement.entries.reserve(entries.entries.size());
  for (const Entry& entry : entries.entries) {
    arrangement.entries.push_back(arrange_entry(options, entry, chunks));
  }
  arrangement.layout =
      options.layout == FileLayout::automatic ? resolve(arrangement) : options.layout;
  return arrangement;
}

}  // namespace shardmark
