// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "shardmark/mpi/communicator.hpp"
#include "shardmark/profile/phase_times.hpp"
#include "shardmark/storage/contract/storage_writer.hpp"
#include "shardmark/storage/format/file_arrangement.hpp"
#include "shardmark/storage/hdf5/files/data_file.hpp"
#include "shardmark/storage/hdf5/files/new_entry_file.hpp"
#include "shardmark/storage/posix/page_residency.hpp"

namespace shardmark {

/// The files of one save, laid out by HDF5 with every dataset allocated and closed again, as one
/// rank sees them.
struct FileSet {
  std::vector<std::string> paths;  // the entry file and, where there are any, the data files
  FileLayout layout = FileLayout::shared;  // without "auto"
  std::vector<EntryForm> forms;            // by entry
  std::vector<StoredPiece> pieces;         // by write of this rank's plan
  std::uint64_t data_file = 0;             // where this rank's separate chunks go; 0: nowhere
  std::vector<DataFileChunk> data_chunks;  // all of that file, known to the ranks that share it
  std::int64_t checksums_address = -1;
  std::array<std::int64_t, num_dtypes> packed_addresses{};  // of the packed datasets; 0: none
  bool detects_holes = false;  // this file system tells unwritten bytes from zeros
  LayoutCounters counters;     // rank 0: of all files that are finished
  /// Rank 0, while virtual datasets are to come. Uses the save's manifest and owners.
  std::optional<NewEntryFile> unfinished_entry_file;
  /// The ranks that share data_file; only while there is one. Close it with close().
  std::unique_ptr<Communicator> group;

  /// Local. Nothing on ranks that have no unfinished entry file. Errors: io_error, no_space.
  Status finish_entry_file();

  /// Collective over the group.
  void close() {
    if (group) {
      group->close();
      group.reset();
    }
  }
};

/// Collective; the same status on every rank. Lays out all files and reserves their space: rank 0
/// the entry file, one rank each data file. Fills in the target's manifest.
Result<FileSet> create_file_set(const SaveTarget& target, const StorageOptions& options,
                                const Communicator& comm, PhaseClock& clock);

}  // namespace shardmark
