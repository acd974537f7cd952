// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/plan/tables/entry_table.hpp"
#include "shardmark/storage/contract/placed_files.hpp"
#include "shardmark/storage/contract/storage_writer.hpp"

namespace shardmark {

/// What one rank has written, or is about to.
struct WrittenTasks {
  const EntryTable* entries = nullptr;
  std::span<const WriteTask> tasks;
  std::span<const std::uint64_t> checksums;  // by task; empty without checksums
  std::size_t first = 0;                     // place of the first task in the rank's plan
};

/// Checksums of consecutive chunks, which lie side by side in the entry file.
struct ChecksumRun {
  std::size_t first = 0;  // task
  std::int64_t address = 0;
  std::span<const std::byte> bytes;  // of written.checksums
};

/// Local.
std::vector<ChecksumRun> checksum_runs(const PlacedFiles& files, const WrittenTasks& written);

/// Local. True if rank 0 writes a task in this rank's place: a scalar or small object, which lies
/// beside HDF5's own bytes in the entry file, where ranks write through several clients of the file
/// system.
bool is_for_root(const PlacedFiles& files, const Entry& entry, const WriteTask& task);

/// Collective where there are several clients, else local; the status is not agreed. Puts the
/// checksum of each task at its place in the entry file, and the elements of those for rank 0.
/// Returns how many requests this rank made.
Result<std::int64_t> write_small_pieces(const PlacedFiles& files, const WrittenTasks& written,
                                        const Communicator& comm);

}  // namespace shardmark
