// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/plan/tables/chunk_table.hpp"
#include "shardmark/plan/tables/entry_table.hpp"
#include "shardmark/storage/format/storage_options.hpp"

namespace shardmark {

/// Version of everything on disk: COMMIT, manifest, names, types. What is written; a reader takes
/// this one and all before, and refuses any other. Version 1 had in COMMIT the hash of the entry
/// file alone.
inline constexpr std::uint64_t format_version = 2;

constexpr bool is_known_version(std::uint64_t version) noexcept {
  return version >= 1 && version <= format_version;
}

/// How an entry's elements lie. The numbers are part of the manifest: only append.
enum class StoredAs : std::uint8_t {
  whole = 0,        // the tensor in one piece, row-major
  hdf5_chunks = 1,  // each chunk in a box of the first chunk's sizes, padded where it is smaller
  separate = 2,     // each chunk by itself, row-major
};

/// "whole", "hdf5_chunks", "separate".
std::string_view stored_as_name(StoredAs stored_as) noexcept;

/// Why an entry is stored as it is. The numbers are part of the manifest: only append.
enum class LayoutReason : std::uint8_t {
  as_asked = 0,
  always_plain = 1,       // objects, 0-d and zero-size tensors
  no_regular_grid = 2,    // its chunks are no tiles of one size
  chunk_too_large = 3,    // a tile of 4 GiB and more
  too_much_padding = 4,   // tiles would pad by more than 5 %
  not_small = 5,          // too large to be packed
  small = 6,              // small enough to be packed; not chosen any more
  strided_chunks = 7,     // its chunks are cut along inner dimensions
  contiguous_chunks = 8,  // each chunk is one piece of the row-major tensor
  file_a_rank = 9,        // each rank's chunks lie side by side in its own file
  small_beside = 10,      // too small to be worth a virtual dataset beside data files
};

/// "its chunks are ...": for messages and results.
std::string_view layout_reason_text(LayoutReason reason) noexcept;

/// Where an entry's elements lie, in the entry's dtype.
struct EntryLocation {
  std::uint64_t file = 0;     // index into Manifest::files; where stored whole
  std::int64_t address = -1;  // byte offset in that file; -1 where there are no elements
  StoredAs stored_as = StoredAs::whole;
  LayoutReason reason = LayoutReason::as_asked;
  std::uint64_t first_chunk_location = 0;  // in Manifest::chunk_locations; where not stored whole

  friend bool operator==(const EntryLocation&, const EntryLocation&) = default;
};

/// Where a chunk of an entry that is not stored whole begins.
struct ChunkLocation {
  std::uint64_t file = 0;
  std::int64_t address = -1;

  friend bool operator==(const ChunkLocation&, const ChunkLocation&) = default;
};

/// A part of a tensor that lies in a file in one piece: row-major, as a box of `sizes` whose first
/// element is the tensor's element `offsets`.
struct StoredPiece {
  std::uint64_t file = 0;
  std::int64_t address = -1;
  Dims offsets;
  Dims sizes;
};

/// Everything a reader needs to know of a checkpoint, confirmed by its own hash. The loader
/// believes this and nothing of HDF5's structure.
struct Manifest {
  std::uint64_t version = format_version;
  std::int64_t step = 0;
  std::uint64_t seed = 0;
  std::string save_id;  // fresh for every save
  std::int64_t world_size = 0;
  FileLayout layout = FileLayout::shared;
  ChecksumKind checksum = ChecksumKind::xxh3;
  std::int64_t checksums_address = -1;  // in the entry file; -1 without checksums
  std::vector<std::string> files;       // relative names; the entry file first
  EntryTable entries;
  ChunkTable chunks;
  std::vector<EntryLocation> locations;        // by entry
  std::vector<ChunkLocation> chunk_locations;  // of entries that are not stored whole, by chunk
  /// By entry, of tensors whose dtype only has the width of the one that was published: its name.
  std::map<std::size_t, std::string> published_dtypes;

  /// Local. The entry's own dtype as it was published; empty where it is `dtype`.
  std::string_view published_dtype(std::size_t entry) const noexcept;
  /// Local. The piece that holds all of chunk `chunk` of entry `entry`.
  StoredPiece piece_of(std::size_t entry, std::uint64_t chunk) const;
};

/// Local. The bytes of /shardmark/manifest: the plan codec, ending in the XXH3-64 of all before.
std::vector<std::byte> encode(const Manifest& manifest);

/// Local. `file_sizes` are those of `files` by COMMIT. Errors: data_loss for bytes that encode()
/// cannot have written, or addresses that leave their file or run into each other; unsupported for
/// another version.
Result<Manifest> decode_manifest(std::span<const std::byte> bytes);

/// Local. Whether a manifest may name a published dtype so.
bool is_published_dtype(std::string_view name);

/// Local. Errors: data_loss if elements or checksums leave their files, or two entries share a
/// byte.
Status check_locations(const Manifest& manifest, std::span<const std::int64_t> file_sizes);

}  // namespace shardmark
