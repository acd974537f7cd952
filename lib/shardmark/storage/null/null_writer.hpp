// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "shardmark/storage/contract/storage_writer.hpp"

namespace shardmark {

/// Discards everything but counts and hashes it: the cost of a save without its I/O.
class NullWriter final : public StorageWriter {
 public:
  NullWriter(ChecksumKind checksum, PhaseClock& clock) : checksum_(checksum), clock_(clock) {}

  Status create(const SaveTarget& target) override;
  Status write(std::span<const WriteTask> tasks) override;
  Status flush() override { return {}; }
  Result<std::vector<std::uint64_t>> hash_data_files() override {
    return std::vector<std::uint64_t>(1, 0);
  }
  Result<StoredManifest> write_manifest(std::span<const std::byte> /*bytes*/) override {
    return StoredManifest{};
  }
  const WriteCounters& counters() const noexcept override { return counters_; }
  const LayoutCounters& layout_counters() const noexcept override { return layout_counters_; }

 private:
  ChecksumKind checksum_;
  PhaseClock& clock_;
  WriteCounters counters_;
  LayoutCounters layout_counters_;
  std::uint64_t digest_ = 0;  // keeps the hashes from being optimised away
};

}  // namespace shardmark
