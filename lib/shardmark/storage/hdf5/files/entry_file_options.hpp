// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "shardmark/core/dtype.hpp"
#include "shardmark/storage/contract/save_files.hpp"
#include "shardmark/storage/format/file_arrangement.hpp"
#include "shardmark/storage/format/storage_options.hpp"

namespace shardmark {

class KeptEntryFile;

/// How an entry file is to be laid out.
struct EntryFileOptions {
  StorageOptions storage;
  FileArrangement arrangement;
  // By chunk. Needed for packed and separate chunks; whole tensors of one owner lie side by side.
  std::span<const std::int32_t> owners;
  KeptEntryFile* kept = nullptr;  // gives the file's structure if it has it, and keeps it if not
};

/// What laying it out came to.
struct EntryFileMade {
  LayoutCounters counters;
  std::array<std::int64_t, num_dtypes> packed_addresses{};  // of the packed datasets; 0: none
  std::int64_t manifest_address = -1;
  std::int64_t manifest_bytes = 0;
};

}  // namespace shardmark
