// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "shardmark/storage/format/file_system_traits.hpp"

namespace shardmark {

enum class Backend : std::uint8_t {
  hdf5,
  null,          // discards: the cost of everything but I/O
  posix,         // raw files, one a rank
  posix_shared,  // one raw file
  mpiio,         // one raw file, through MPI-IO
};

/// How chunks lie in files. The number is part of the manifest.
enum class FileLayout : std::uint8_t {
  shared = 0,          // one file, one contiguous dataset a tensor
  shared_chunked = 1,  // one file, hdf5_chunks of a chunk's sizes where that pads little
  per_rank = 2,        // a data file a rank, seen through virtual datasets in the entry file
  per_node = 3,        // a data file a node, likewise
  groups = 4,          // a data file for each of M groups of ranks, likewise
  packed = 5,          // one file, small tensors together in one dataset a dtype
  automatic = 6,       // chosen for each tensor from the plan; never in a manifest
};

enum class IoMode : std::uint8_t {
  collective,   // every H5Dwrite and H5Dread by all ranks together
  independent,  // each rank for itself
  direct,       // past HDF5, at the addresses that it gave
};

enum class ChecksumKind : std::uint8_t { none = 0, xxh3 = 1 };

/// Whether ranks may trust that all see the same bytes of a file at once.
enum class Coherence : std::uint8_t {
  automatic,  // only those that share a page cache
  yes,        // all of them
  no,         // none
};

/// Who writes and reads blocks that several ranks have bytes in.
enum class ExchangeLevel : std::uint8_t {
  automatic,
  off,    // each rank its own bytes, by itself
  edges,  // saves: only what lies in blocks that a rank does not fill goes to another
  node,   // ranks of a node together: each block is written once, each byte read once a node
  world,  // all ranks together: small pieces go to other nodes, each byte is read once
};

/// What a load hashes.
enum class ChecksumMode : std::uint8_t {
  full,  // every chunk that any rank touches: those read only in part are read whole by one rank
  read,  // chunks that a rank reads whole
  none,
};

/// What there is to know of a back end without making it.
struct BackendTraits {
  Backend backend;
  std::string_view name;
  bool discards = false;  // keeps nothing: nothing to load, no rate of storage
  bool has_file_layouts =
      false;                    // FileLayout and IoMode act; any world may load what another saved
  bool through_mpi_io = false;  // whatever the I/O mode
};

/// Local. The one table of back ends, in the order in which they are named to people.
std::span<const BackendTraits> backend_table() noexcept;
const BackendTraits& traits_of(Backend backend) noexcept;
std::string_view backend_name(Backend backend) noexcept;
std::string_view file_layout_name(FileLayout layout) noexcept;
std::string_view io_mode_name(IoMode mode) noexcept;
std::string_view exchange_level_name(ExchangeLevel level) noexcept;
std::string_view checksum_mode_name(ChecksumMode mode) noexcept;
std::optional<Backend> backend_from_name(std::string_view name) noexcept;
std::optional<FileLayout> file_layout_from_name(std::string_view name) noexcept;
std::optional<IoMode> io_mode_from_name(std::string_view name) noexcept;
std::optional<ExchangeLevel> exchange_level_from_name(std::string_view name) noexcept;
std::optional<ChecksumMode> checksum_mode_from_name(std::string_view name) noexcept;

/// What the configuration says of storage. Defaults are those of its keys.
struct StorageOptions {
  Backend backend = Backend::hdf5;
  FileLayout layout = FileLayout::automatic;
  IoMode io = IoMode::direct;
  ChecksumKind checksum = ChecksumKind::xxh3;
  int groups = 1;                         // files of FileLayout::groups
  bool o_direct = true;                   // in IoMode::direct
  int threads = 0;                        // in IoMode::direct; 0: choose
  std::optional<std::int64_t> alignment;  // bytes; nullopt: choose
  std::int64_t alignment_threshold = 0;   // bytes; 0: the alignment
  bool allow_padding = false;             // above 5 %, with an explicit alignment
  Coherence coherence = Coherence::automatic;
  ExchangeLevel exchange = ExchangeLevel::automatic;  // in IoMode::direct
  std::int64_t exchange_bytes = 0;                    // its staging on a node; 0: choose
  int aggregators = 0;            // writers a node in ExchangeLevel::world; 0: up to 4
  std::int64_t stripe_bytes = 0;  // of the save's files; 0: as the directory has them
  std::int64_t stripe_count = 0;  // likewise; -1: all
  std::map<std::string, std::string> hints = {};         // for MPI-IO
  std::int64_t meta_block_size = std::int64_t{1} << 20;  // bytes
  FileSystemTraits traits = {};                          // of the directory's file system

  friend bool operator==(const StorageOptions&, const StorageOptions&) = default;
};

}  // namespace shardmark
