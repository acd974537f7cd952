// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace shardmark {

enum class Backend : std::uint8_t {
  hdf5,
  null,  // discards: the cost of everything but I/O
};

/// How chunks lie in files. The number is part of the manifest.
enum class FileLayout : std::uint8_t {
  shared = 0,  // one file, one contiguous dataset a tensor
};

enum class IoMode : std::uint8_t {
  collective,   // every H5Dwrite and H5Dread by all ranks together
  independent,  // each rank for itself
};

enum class ChecksumKind : std::uint8_t { none = 0, xxh3 = 1 };

/// What a load hashes.
enum class ChecksumMode : std::uint8_t {
  full,  // every chunk that any rank touches: those read only in part are read whole by one rank
  read,  // chunks that a rank reads whole
  none,
};

std::string_view backend_name(Backend backend) noexcept;
std::string_view file_layout_name(FileLayout layout) noexcept;
std::string_view io_mode_name(IoMode mode) noexcept;
std::string_view checksum_mode_name(ChecksumMode mode) noexcept;
std::optional<Backend> backend_from_name(std::string_view name) noexcept;
std::optional<FileLayout> file_layout_from_name(std::string_view name) noexcept;
std::optional<IoMode> io_mode_from_name(std::string_view name) noexcept;
std::optional<ChecksumMode> checksum_mode_from_name(std::string_view name) noexcept;

/// What the configuration says of storage, resolved: no "auto" is left but in alignment.
struct StorageOptions {
  Backend backend = Backend::hdf5;
  FileLayout layout = FileLayout::shared;
  IoMode io = IoMode::independent;
  ChecksumKind checksum = ChecksumKind::xxh3;
  std::int64_t meta_block_size = std::int64_t{1} << 20;  // bytes
};

}  // namespace shardmark
