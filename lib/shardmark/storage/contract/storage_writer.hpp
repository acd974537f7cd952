// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "shardmark/core/tensor_view.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/plan/owners/save_plan.hpp"
#include "shardmark/profile/phase_times.hpp"
#include "shardmark/storage/contract/save_files.hpp"
#include "shardmark/storage/format/storage_options.hpp"
#include "shardmark/storage/raw/io_counters.hpp"

namespace shardmark {

/// One chunk on its way to storage. The elements are seen, not copied.
struct WriteTask {
  const PlannedWrite* write = nullptr;
  ConstTensorView elements;  // sizes equal write->box.sizes
};

/// Puts planned chunks into files. One object a save; the calls come in the order of declaration,
/// all collective, and each gives the same status on every rank. After a failed call only abandon()
/// may follow.
class StorageWriter {
 public:
  virtual ~StorageWriter() = default;

  /// Phase create. Lays out the files and reserves their space before any element is written. On
  /// rank 0 fills in the manifest's files, locations and checksums address.
  virtual Status create(const SaveTarget& target) = 0;

  /// Phases stage (hashing, copies that strides force) and write. One task for each write of the
  /// plan that write_part() has not had, in its order; they and their elements must stay until
  /// flush() is done.
  virtual Status write(std::span<const WriteTask> tasks) = 0;

  /// As write(), of the next tasks of the plan while others follow: their elements are free when it
  /// returns. Not every writer can.
  virtual Status write_part(std::span<const WriteTask> /*tasks*/) {
    return Error{ErrorCode::unsupported, "this back end writes everything at once"};
  }

  /// Phase flush. Every byte of elements and checksums is durable after it.
  virtual Status flush() = 0;

  /// Collective, phase flush, after flush(). XXH3-64 of each data file outside element data, by the
  /// manifest's files; anything for the entry file, which is not finished yet.
  virtual Result<std::vector<std::uint64_t>> hash_data_files() = 0;

  /// Local, rank 0, phase commit. Writes the manifest's bytes into the entry file, durably, and
  /// finishes that file.
  virtual Result<StoredManifest> write_manifest(std::span<const std::byte> bytes) = 0;

  virtual const WriteCounters& counters() const noexcept = 0;
  virtual const LayoutCounters& layout_counters() const noexcept = 0;
};

/// Local. `clock` is told of the phases; both must outlive the writer.
std::unique_ptr<StorageWriter> make_storage_writer(const StorageOptions& options,
                                                   const Communicator& comm, PhaseClock& clock);

}  // namespace shardmark
