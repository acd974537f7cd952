// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "shardmark/core/result.hpp"
#include "shardmark/storage/manifest.hpp"
#include "shardmark/storage/storage_writer.hpp"

namespace shardmark {

/// Paths inside the entry file, the whole of its structure.
inline constexpr const char* tensors_group = "/tensors";
inline constexpr const char* objects_group = "/objects";
inline constexpr const char* shardmark_group = "/shardmark";
inline constexpr const char* checksums_dataset = "/shardmark/checksums";
inline constexpr const char* manifest_dataset = "/shardmark/manifest";

struct EntryFileOptions {
  std::int64_t meta_block_size = 0;  // bytes
};

/// Local, one rank, without MPI-IO. Makes the file with every dataset allocated and none written:
/// the addresses are final, and the parallel phase that follows changes no metadata at all. Entries
/// whose location is another file are not supported by this layout. Fills in the manifest's
/// locations and checksums address. Errors: io_error, no_space, invalid_argument for a name that
/// HDF5 cannot hold.
Result<LayoutCounters> create_entry_file(const std::string& path, const EntryFileOptions& options,
                                         Manifest& manifest);

/// Local, one rank. Reopens the file, writes the manifest into its dataset, closes. Returns its
/// address.
Result<std::int64_t> write_manifest_dataset(const std::string& path,
                                            std::span<const std::byte> bytes);

/// Local. The path of an entry's dataset.
Result<std::string> dataset_path(const Entry& entry);

/// Local. The largest power of two from 4 KiB to 1 MiB that pads datasets of that size and more by
/// at most 5 % of all bytes; 1 where none does.
std::int64_t choose_alignment(const EntryTable& entries);

}  // namespace shardmark
