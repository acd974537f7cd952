// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/plan/chunk_table.hpp"
#include "shardmark/plan/entry_table.hpp"
#include "shardmark/storage/storage_options.hpp"

namespace shardmark {

/// Version of everything on disk: COMMIT, manifest, names, types. A reader refuses any other.
inline constexpr std::uint64_t format_version = 1;

/// Where an entry's elements lie. Contiguous, row-major, in the entry's dtype.
struct EntryLocation {
  std::uint64_t file = 0;     // index into Manifest::files
  std::int64_t address = -1;  // byte offset in that file; -1 where there are no elements

  friend bool operator==(const EntryLocation&, const EntryLocation&) = default;
};

/// Everything a reader needs to know of a checkpoint, confirmed by its own hash. The loader
/// believes this and nothing of HDF5's structure.
struct Manifest {
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
  std::vector<EntryLocation> locations;  // by entry
};

/// Local. The bytes of /shardmark/manifest: the plan codec, ending in the XXH3-64 of all before.
std::vector<std::byte> encode(const Manifest& manifest);

/// Local. `file_sizes` are those of `files` by COMMIT. Errors: data_loss for bytes that encode()
/// cannot have written, or addresses that leave their file or run into each other; unsupported for
/// another version.
Result<Manifest> decode_manifest(std::span<const std::byte> bytes);

/// Local. Errors: data_loss if elements or checksums leave their files, or two entries share a
/// byte.
Status check_locations(const Manifest& manifest, std::span<const std::int64_t> file_sizes);

}  // namespace shardmark
