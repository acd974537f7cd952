// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "shardmark/storage/contract/storage_writer.hpp"
#include "shardmark/storage/direct/write_proof.hpp"
#include "shardmark/storage/hdf5/files/hdf5_file_set.hpp"
#include "shardmark/storage/hdf5/library/parallel_file.hpp"
#include "shardmark/storage/hdf5/transfer/staging.hpp"
#include "shardmark/storage/hdf5/transfer/transfer_schedule.hpp"

namespace shardmark {

/// I/O modes `collective` and `independent`, every file layout: elements go through HDF5's MPI-IO
/// driver.
///
/// One rank lays each file out alone, with every dataset allocated, so that the parallel phase
/// opens it and changes no metadata: creating costs O(tensors) once instead of on every rank, and
/// what a full disk could still break while many ranks are inside HDF5 is only element data. Where
/// tensors lie in data files, those ranks open that share one, and what is left in the entry file,
/// scalars and objects, is written past HDF5.
class Hdf5Writer final : public StorageWriter {
 public:
  Hdf5Writer(std::unique_ptr<Hdf5FileSet> made_by, const StorageOptions& options,
             const Communicator& comm, PhaseClock& clock)
      : made_by_(std::move(made_by)), options_(options), comm_(comm), clock_(clock) {}
  ~Hdf5Writer() override;

  Status create(const SaveTarget& target) override;
  Status write(std::span<const WriteTask> tasks) override;
  Status flush() override;
  Result<StoredManifest> write_manifest(std::span<const std::byte> bytes) override {
    return made_by_->write_manifest(bytes);
  }
  Result<std::vector<std::uint64_t>> hash_data_files() override {
    return shardmark::hash_data_files(files_, comm_);
  }
  const WriteCounters& counters() const noexcept override { return counters_; }
  const LayoutCounters& layout_counters() const noexcept override {
    return made_by_->layout_counters();
  }

 private:
  /// Of the file that HDF5 has open: its number, its ranks.
  bool in_data_files() const noexcept { return files_.paths.size() > 1; }
  std::uint64_t number() const noexcept { return in_data_files() ? files_.own_file : 0; }
  const std::string& path() const noexcept { return files_.paths[number()]; }
  const Communicator& sharers() const noexcept { return made_by_->sharers(); }

  Status open();
  DatasetList datasets() const;
  Status write_elements(std::span<const WriteTask> tasks);
  Status write_piece(std::span<const WriteTask> tasks, const H5Dataset& dataset, const H5Type& type,
                     const TransferPiece* piece);
  Status write_beside(std::span<const WriteTask> tasks);
  Status write_checksums();
  Status sync() const;
  Status prove() const;
  Status rehearse_close() const;
  Status fail_for_good(const Status& status);

  std::unique_ptr<Hdf5FileSet> made_by_;
  StorageOptions options_;
  const Communicator& comm_;
  PhaseClock& clock_;
  const EntryTable* entries_ = nullptr;
  PlacedFiles files_;
  std::optional<ParallelFile> file_;
  StagingBuffer staging_;
  std::span<const WriteTask> tasks_;
  std::vector<std::uint64_t> checksums_;  // by task; empty without checksums
  std::vector<bool> hashed_;              // by task
  WriteCounters counters_;
};

}  // namespace shardmark
