// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "shardmark/storage/hdf5/staging.hpp"
#include "shardmark/storage/storage_reader.hpp"

namespace shardmark {

/// Reads file layout `shared` through HDF5's MPI-IO driver. Each dataset's address, shape and size
/// must be the manifest's.
class SharedFileReader final : public StorageReader {
 public:
  SharedFileReader(IoMode io, const Communicator& comm) : io_(io), comm_(comm) {}

  Status read(const std::string& directory, const Manifest& manifest,
              std::span<const ReadTask> tasks) override;
  const ReadCounters& counters() const noexcept override { return counters_; }

 private:
  IoMode io_;
  const Communicator& comm_;
  StagingBuffer staging_;
  ReadCounters counters_;
};

}  // namespace shardmark
