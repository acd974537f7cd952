// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "shardmark/storage/contract/placed_files.hpp"
#include "shardmark/storage/contract/save_files.hpp"
#include "shardmark/storage/contract/storage_writer.hpp"
#include "shardmark/storage/direct/save_exchange.hpp"
#include "shardmark/storage/direct/write_proof.hpp"
#include "shardmark/storage/raw/raw_file.hpp"
#include "shardmark/storage/raw/raw_writer.hpp"

namespace shardmark {

/// Elements go straight to where the files say, by pwrite: I/O mode `direct` of every file layout,
/// where HDF5 has laid the files out and is done with them, and the raw back ends. A failed write
/// leaves nothing behind that could hang, so the process goes on.
class DirectWriter final : public StorageWriter {
 public:
  DirectWriter(std::unique_ptr<SaveFiles> made_by, const StorageOptions& options,
               const Communicator& comm, PhaseClock& clock)
      : made_by_(std::move(made_by)), options_(options), comm_(comm), clock_(clock) {}

  Status create(const SaveTarget& target) override;
  Status write(std::span<const WriteTask> tasks) override;
  Status write_part(std::span<const WriteTask> tasks) override;
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
  using Transfer = RawTransfer<const std::byte>;

  Status open_files(std::span<const WriteTask> tasks);
  Status open_file(std::uint64_t number);
  std::vector<Transfer> transfers_of(std::span<const WriteTask> tasks) const;
  Status write_apart(std::span<const WriteTask> tasks);
  Status write_together(std::span<const WriteTask> tasks);
  Status agree(const Status& local);
  void note_o_direct_reason();
  Status write_elements(std::span<const Transfer> transfers, std::span<std::uint64_t> checksums);
  Status sync() const;
  Status prove() const;

  std::unique_ptr<SaveFiles> made_by_;
  StorageOptions options_;
  const Communicator& comm_;
  PhaseClock& clock_;
  const EntryTable* entries_ = nullptr;
  PlacedFiles files_;
  std::map<std::uint64_t, RawFile> open_;  // those that this rank writes elements to
  std::span<const WriteTask> tasks_;
  std::size_t first_ = 0;                 // place of the first of tasks_ in the plan
  std::vector<std::uint64_t> checksums_;  // by task; empty without checksums
  std::vector<RawWriter::Edge> edges_;
  std::optional<SaveExchange> exchange_;  // after create()
  WriteCounters counters_;
};

}  // namespace shardmark
