// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shardmark/storage/hdf5/parallel_file.hpp"
#include "shardmark/storage/hdf5/staging.hpp"
#include "shardmark/storage/hdf5/transfer_schedule.hpp"
#include "shardmark/storage/storage_writer.hpp"

namespace shardmark {

/// File layout `shared`: one file, one contiguous dataset a tensor, written through HDF5's MPI-IO
/// driver.
///
/// Rank 0 lays the file out alone, with every dataset allocated, so that the parallel phase opens
/// it and changes no metadata: creating costs O(tensors) once instead of on every rank, and what a
/// full disk could still break while many ranks are inside HDF5 is only element data.
class SharedFileWriter final : public StorageWriter {
 public:
  SharedFileWriter(const StorageOptions& options, const Communicator& comm, PhaseClock& clock)
      : options_(options), comm_(comm), clock_(clock) {}
  ~SharedFileWriter() override;

  Status create(const std::string& directory, const EntryTable& entries,
                Manifest& manifest) override;
  Status write(std::span<const WriteTask> tasks) override;
  Status flush() override;
  Result<std::int64_t> write_manifest(std::span<const std::byte> bytes) override;
  const WriteCounters& counters() const noexcept override { return counters_; }
  const LayoutCounters& layout_counters() const noexcept override { return layout_counters_; }

 private:
  Status create_on_root(Manifest& manifest);
  Status write_elements(std::span<const WriteTask> tasks);
  Status write_checksums();
  void share_addresses();
  Status prove_no_holes() const;
  Status rehearse_close() const;
  Status prove_by_reading(std::int64_t max_chunk_bytes) const;
  Status fail_for_good(const Status& status);

  StorageOptions options_;
  const Communicator& comm_;
  PhaseClock& clock_;
  std::string path_;
  const EntryTable* entries_ = nullptr;
  Manifest* manifest_ = nullptr;  // its locations are known on rank 0 only
  std::optional<ParallelFile> file_;
  StagingBuffer staging_;
  bool detects_holes_ = false;
  std::vector<std::int64_t> addresses_;  // by entry, then of the checksums
  bool has_checksums_ = false;
  std::span<const WriteTask> tasks_;
  std::vector<std::uint64_t> checksums_;  // by task
  WriteCounters counters_;
  LayoutCounters layout_counters_;
};

}  // namespace shardmark
