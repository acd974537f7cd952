// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "shardmark/plan/tables/entry_table.hpp"
#include "shardmark/storage/contract/placed_files.hpp"
#include "shardmark/storage/contract/storage_writer.hpp"

namespace shardmark {

/// What one rank has written and wants proven.
struct WrittenTasks {
  const EntryTable* entries = nullptr;
  std::span<const WriteTask> tasks;
  std::span<const std::uint64_t> checksums;  // by task; empty without checksums
  std::size_t first = 0;                     // place of the first task in the rank's plan
};

/// Local; after all ranks' fsync. Proves that the bytes of this rank reached its files, although
/// every write said so: by holes where the file system shows them, of what may share a page with
/// other bytes, and of everything where it does not, by reading. Checksums are always read back.
/// Errors: io_error naming what is lost.
Status prove_written(const PlacedFiles& files, const WrittenTasks& written);

/// Local. Puts the checksum of each task at its place in the entry file. Returns how many requests
/// that took.
Result<std::int64_t> write_checksums_at(const PlacedFiles& files, const WrittenTasks& written);

}  // namespace shardmark
