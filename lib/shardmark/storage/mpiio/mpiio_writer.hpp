// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "shardmark/storage/contract/placed_files.hpp"
#include "shardmark/storage/contract/save_files.hpp"
#include "shardmark/storage/contract/storage_writer.hpp"

namespace shardmark {

/// Back end `mpiio`: one raw file, each rank's chunks end to end, written by MPI_File_write_at.
class MpiioWriter final : public StorageWriter {
 public:
  MpiioWriter(std::unique_ptr<SaveFiles> made_by, const StorageOptions& options,
              const Communicator& comm, PhaseClock& clock)
      : made_by_(std::move(made_by)), options_(options), comm_(comm), clock_(clock) {}

  Status create(const SaveTarget& target) override;
  Status write(std::span<const WriteTask> tasks) override;
  Status flush() override;
  Result<StoredManifest> write_manifest(std::span<const std::byte> bytes) override {
    return made_by_->write_manifest(bytes);
  }
  Result<std::vector<std::uint64_t>> hash_data_files() override {
    return std::vector<std::uint64_t>(1, 0);  // all is in the entry file
  }
  const WriteCounters& counters() const noexcept override { return counters_; }
  const LayoutCounters& layout_counters() const noexcept override {
    return made_by_->layout_counters();
  }

 private:
  Status write_elements(std::span<const WriteTask> tasks);

  std::unique_ptr<SaveFiles> made_by_;
  StorageOptions options_;
  const Communicator& comm_;
  PhaseClock& clock_;
  const EntryTable* entries_ = nullptr;
  PlacedFiles files_;
  std::span<const WriteTask> tasks_;
  std::vector<std::uint64_t> checksums_;  // by task; empty without checksums
  WriteCounters counters_;
};

}  // namespace shardmark
