// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "shardmark/core/box.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/plan/tables/entry_table.hpp"
#include "shardmark/storage/contract/save_files.hpp"
#include "shardmark/storage/format/storage_options.hpp"
#include "shardmark/storage/raw/structure_hash.hpp"

namespace shardmark {

/// One chunk of a data file.
struct DataFileChunk {
  std::uint32_t entry = 0;
  std::uint64_t chunk = 0;
  Box box;
  std::int64_t address = -1;  // once the file is made
};

/// Local, one rank. Makes a plain HDF5 file with one dataset /chunks/<name><offsets> for each
/// chunk, in the order given, every one allocated and none written. Fills in the addresses. Errors
/// as NewEntryFile's.
Result<LayoutCounters> create_data_file(const std::string& path, const StorageOptions& options,
                                        const EntryTable& entries, std::span<DataFileChunk> chunks);

/// Local. Where the elements of a data file lie.
ElementRanges element_ranges_of(std::span<const DataFileChunk> chunks, const EntryTable& entries);

/// Local. What the ranks of a data file tell each other of its chunks.
std::vector<std::byte> encode_chunks(std::span<const DataFileChunk> chunks);
/// Local. Appends to `chunks`. The bytes come from a rank of this save.
Status decode_chunks(std::span<const std::byte> bytes, const EntryTable& entries,
                     std::vector<DataFileChunk>& chunks);

}  // namespace shardmark
