// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "shardmark/mpi/communicator.hpp"
#include "shardmark/profile/phase_times.hpp"
#include "shardmark/storage/contract/save_files.hpp"
#include "shardmark/storage/format/storage_options.hpp"

namespace shardmark {

/// The files of back ends without HDF5: every chunk by itself, a rank's chunks end to end in the
/// order of its plan, in a file a rank (`posix`) or in one file (the others), where each rank
/// begins a block of its own. Checksums, then the manifest, are the end of the entry file.
class RawFileSet final : public SaveFiles {
 public:
  RawFileSet(const StorageOptions& options, const Communicator& comm, PhaseClock& clock)
      : options_(options), comm_(comm), clock_(clock) {}

  Result<PlacedFiles> create(const SaveTarget& target) override;
  Result<StoredManifest> write_manifest(std::span<const std::byte> bytes) override;
  const LayoutCounters& layout_counters() const noexcept override { return counters_; }

 private:
  StorageOptions options_;
  const Communicator& comm_;
  PhaseClock& clock_;
  std::string entry_file_;
  const Manifest* manifest_ = nullptr;  // rank 0
  ReadFrom proof_reads_ = ReadFrom::cache;
  LayoutCounters counters_;  // all bytes are elements or ours
};

}  // namespace shardmark
