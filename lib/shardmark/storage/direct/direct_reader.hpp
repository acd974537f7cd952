// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "shardmark/storage/contract/storage_reader.hpp"

namespace shardmark {

/// I/O mode `direct`, every file layout: pieces are read at the addresses of the manifest, never
/// through HDF5.
class DirectReader final : public StorageReader {
 public:
  DirectReader(const ReadOptions& options, const Communicator& comm, PhaseClock* clock = nullptr)
      : options_(options), comm_(comm), clock_(clock) {}

  Status read(const std::string& directory, const Manifest& manifest,
              std::span<const ReadTask> tasks) override;
  std::span<const std::uint64_t> checksums() const noexcept override { return checksums_; }
  const std::vector<HashedChunk>* hashed_chunks() const noexcept override {
    return hashed_ ? &*hashed_ : nullptr;
  }
  const ReadCounters& counters() const noexcept override { return counters_; }

  /// Local. Reads `tasks` as read() does, without agreeing on the status.
  Status read_locally(const std::string& directory, const Manifest& manifest,
                      std::span<const ReadTask> tasks);

 private:
  ReadOptions options_;
  const Communicator& comm_;
  PhaseClock* clock_;
  std::vector<std::uint64_t> checksums_;
  std::optional<std::vector<HashedChunk>> hashed_;  // where ranks read together
  ReadCounters counters_;
};

}  // namespace shardmark
