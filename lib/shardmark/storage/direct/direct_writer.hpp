// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "shardmark/storage/contract/storage_writer.hpp"
#include "shardmark/storage/hdf5/files/hdf5_file_set.hpp"
#include "shardmark/storage/raw/raw_file.hpp"
#include "shardmark/storage/raw/raw_writer.hpp"

namespace shardmark {

/// I/O mode `direct`, every file layout: HDF5 lays the files out and is done with them; each rank
/// then writes its elements at the addresses that HDF5 gave, past HDF5 and MPI-IO. A failed write
/// leaves nothing behind that could hang, so the process goes on.
class DirectWriter final : public StorageWriter {
 public:
  DirectWriter(const StorageOptions& options, const Communicator& comm, PhaseClock& clock)
      : options_(options), comm_(comm), clock_(clock) {}
  ~DirectWriter() override { files_.close(); }

  Status create(const SaveTarget& target) override;
  Status write(std::span<const WriteTask> tasks) override;
  Status write_part(std::span<const WriteTask> tasks) override;
  Status flush() override;
  Result<std::int64_t> write_manifest(std::span<const std::byte> bytes) override;
  const WriteCounters& counters() const noexcept override { return counters_; }
  const LayoutCounters& layout_counters() const noexcept override { return files_.counters; }

 private:
  Status open_files(std::span<const WriteTask> tasks);
  Status write_elements(std::span<const WriteTask> tasks);
  Status sync() const;
  Status prove() const;

  StorageOptions options_;
  const Communicator& comm_;
  PhaseClock& clock_;
  const EntryTable* entries_ = nullptr;
  FileSet files_;
  std::map<std::uint64_t, RawFile> open_;  // those that this rank writes elements to
  std::span<const WriteTask> tasks_;
  std::size_t first_ = 0;                 // place of the first of tasks_ in the plan
  std::vector<std::uint64_t> checksums_;  // by task; empty without checksums
  std::vector<RawWriter::Edge> edges_;
  WriteCounters counters_;
};

}  // namespace shardmark
