// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "shardmark/storage/contract/storage_reader.hpp"

namespace shardmark {

/// Reads raw files, or HDF5's past HDF5, by MPI_File_read_at at the addresses of the manifest. Runs
/// that lie end to end in a file are read together.
class MpiioReader final : public StorageReader {
 public:
  MpiioReader(const ReadOptions& options, const Communicator& comm)
      : options_(options), comm_(comm) {}

  Status read(const std::string& directory, const Manifest& manifest,
              std::span<const ReadTask> tasks) override;
  const ReadCounters& counters() const noexcept override { return counters_; }

 private:
  Status read_file(const std::string& path, std::uint64_t number, const Manifest& manifest,
                   std::span<const ReadTask> tasks);

  ReadOptions options_;
  const Communicator& comm_;
  ReadCounters counters_;
};

}  // namespace shardmark
