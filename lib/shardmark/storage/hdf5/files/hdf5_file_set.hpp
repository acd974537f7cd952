// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "shardmark/core/dtype.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/profile/phase_times.hpp"
#include "shardmark/storage/contract/save_files.hpp"
#include "shardmark/storage/format/file_arrangement.hpp"
#include "shardmark/storage/format/storage_options.hpp"
#include "shardmark/storage/hdf5/files/data_file.hpp"
#include "shardmark/storage/hdf5/files/new_entry_file.hpp"

namespace shardmark {

/// Which of HDF5's datasets hold what, for writers that go through HDF5.
struct Hdf5Datasets {
  std::vector<EntryForm> forms;  // by entry
  /// Of the own data file: all, on those who share it; in mode direct on its leader, and a rank's
  /// own elsewhere.
  std::vector<DataFileChunk> data_chunks;
  std::array<std::int64_t, num_dtypes> packed_addresses{};  // of the packed datasets; 0: none
};

/// Files that HDF5 lays out with every dataset allocated, and closes again: rank 0 the entry file,
/// one rank each data file.
class Hdf5FileSet final : public SaveFiles {
 public:
  Hdf5FileSet(const StorageOptions& options, const Communicator& comm, PhaseClock& clock)
      : options_(options), comm_(comm), clock_(clock) {}
  ~Hdf5FileSet() override;
  Hdf5FileSet(const Hdf5FileSet&) = delete;
  Hdf5FileSet& operator=(const Hdf5FileSet&) = delete;

  /// In I/O mode `direct` virtual datasets may still be under way when it returns, in a thread of
  /// rank 0 that uses the target's manifest and owners.
  Result<PlacedFiles> create(const SaveTarget& target) override;
  /// Waits for virtual datasets that are still to come.
  Result<StoredManifest> write_manifest(std::span<const std::byte> bytes) override;
  const LayoutCounters& layout_counters() const noexcept override { return counters_; }

  const Hdf5Datasets& datasets() const noexcept { return datasets_; }
  /// The ranks that write into this rank's data file, or into the entry file where there is none.
  const Communicator& sharers() const noexcept { return group_ ? *group_ : comm_; }

 private:
  class Making;

  /// Local. Nothing on ranks that have no unfinished entry file. Errors: io_error, no_space.
  Status finish_entry_file();

  StorageOptions options_;
  const Communicator& comm_;
  PhaseClock& clock_;
  std::string entry_file_;
  const Manifest* manifest_ = nullptr;  // rank 0
  ReadFrom proof_reads_ = ReadFrom::cache;
  Hdf5Datasets datasets_;
  LayoutCounters counters_;                 // rank 0: of all files that are finished
  std::optional<NewEntryFile> unfinished_;  // rank 0, while virtual datasets are to come
  std::unique_ptr<Communicator> group_;     // the ranks of the own data file
};

}  // namespace shardmark
