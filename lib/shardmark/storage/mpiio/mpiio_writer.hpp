// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "shardmark/storage/contract/storage_writer.hpp"
#include "shardmark/storage/hdf5/files/hdf5_file_set.hpp"

namespace shardmark {

/// Back end `mpiio`: one raw file, each rank's chunks end to end, written by MPI_File_write_at.
class MpiioWriter final : public StorageWriter {
 public:
  MpiioWriter(const StorageOptions& options, const Communicator& comm, PhaseClock& clock)
      : options_(options), comm_(comm), clock_(clock) {}

  Status create(const SaveTarget& target) override;
  Status write(std::span<const WriteTask> tasks) override;
  Status flush() override;
  Result<std::int64_t> write_manifest(std::span<const std::byte> bytes) override;
  const WriteCounters& counters() const noexcept override { return counters_; }
  const LayoutCounters& layout_counters() const noexcept override { return files_.counters; }

 private:
  Status write_elements(std::span<const WriteTask> tasks);

  StorageOptions options_;
  const Communicator& comm_;
  PhaseClock& clock_;
  const EntryTable* entries_ = nullptr;
  FileSet files_;
  std::span<const WriteTask> tasks_;
  std::vector<std::uint64_t> checksums_;  // by task; empty without checksums
  WriteCounters counters_;
};

}  // namespace shardmark
