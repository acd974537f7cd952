// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/plan/tables/chunk_table.hpp"
#include "shardmark/plan/tables/entry_table.hpp"
#include "shardmark/storage/format/manifest.hpp"
#include "shardmark/storage/format/storage_options.hpp"

namespace shardmark {

/// How one entry is laid out in HDF5.
enum class EntryForm : std::uint8_t {
  plain,        // one contiguous dataset in the entry file
  hdf5_chunks,  // one chunked dataset in the entry file, a chunk a tile
  separate,     // one dataset a chunk in data files, seen through a virtual dataset
  packed,       // chunks in the packed dataset of its dtype, seen through a virtual dataset
};

struct EntryArrangement {
  EntryForm form = EntryForm::plain;
  LayoutReason reason = LayoutReason::as_asked;
};

/// Which files there are and what of each entry lies where. Known on rank 0.
struct FileArrangement {
  FileLayout layout = FileLayout::shared;   // without "auto"
  std::vector<std::string> files;           // relative names; the entry file first
  std::vector<EntryArrangement> entries;    // by entry
  std::vector<std::uint64_t> file_of_rank;  // where a rank's separate chunks go

  bool has(EntryForm form) const noexcept;
};

/// Tensors up to this size are packed.
inline constexpr std::int64_t max_packed_bytes = std::int64_t{256} << 10;

/// Local. Pure: the same for the same plan. `node_of_rank` tells how many ranks write;
/// `world_size`, for what "auto" takes, how many there are where only some of them write; 0: as
/// many.
FileArrangement arrange_files(const StorageOptions& options, const EntryTable& entries,
                              const ChunkTable& chunks, std::span<const int> node_of_rank,
                              std::int64_t world_size = 0);

/// Local. Why the chunks of an entry can not be hdf5_chunks; as_asked if they can.
LayoutReason check_regular_grid(const Entry& entry, const ChunkTable& chunks);

/// Local. True if some chunk of the entry does not lie in one piece in the row-major tensor.
bool has_strided_chunks(const Entry& entry, const ChunkTable& chunks);

/// Local. What the manifest says of a form.
StoredAs stored_as(EntryForm form) noexcept;

}  // namespace shardmark
