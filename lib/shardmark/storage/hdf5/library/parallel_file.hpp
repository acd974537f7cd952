// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>

#include "shardmark/core/result.hpp"
#include "shardmark/core/tensor_view.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/mpi/io_hints.hpp"
#include "shardmark/storage/format/storage_options.hpp"
#include "shardmark/storage/hdf5/library/handle.hpp"

namespace shardmark {

/// An existing HDF5 file, open on all ranks through MPI-IO. Collective close; a file that is
/// abandoned after a failed write is never closed (H5Fclose could wait for ranks that will not
/// come).
class ParallelFile {
 public:
  enum class Access : std::uint8_t { read, read_write };

  /// Collective; the caller agrees on the status. `hints` go to MPI-IO.
  static Result<ParallelFile> open(const std::string& path, Access access, IoMode io,
                                   const std::map<std::string, std::string>& hints,
                                   const Communicator& comm);

  /// Collective; the caller agrees on the status. No dataset may be open.
  Status close();
  /// Local. Forgets the file without closing it.
  void abandon() noexcept { file_.release(); }

  /// Collective for collective mode, else local.
  Result<H5Dataset> open_dataset(const std::string& path) const;

  /// One transfer; collective in collective mode, where a rank without a box takes part with
  /// nothing. Elements go straight from and to the view, whose strides memory_selection() must be
  /// able to express.
  Status write(const H5Dataset& dataset, const H5Type& type, const std::optional<Box>& box,
               const ConstTensorView& elements);
  Status read(const H5Dataset& dataset, const H5Type& type, const std::optional<Box>& box,
              const TensorView& elements);

  /// Collective in every mode: 8-byte words at the given positions of a 1-D dataset, ascending.
  Status write_words(const H5Dataset& dataset, std::span<const std::uint64_t> positions,
                     std::span<const std::uint64_t> words);

  /// HDF5's reasons, or-ed over all collective transfers, why one was not collective after all.
  std::uint32_t no_collective_cause() const noexcept { return no_collective_cause_; }
  /// Of the last transfer: this rank's own reasons, and those of any rank.
  std::uint32_t last_own_cause() const noexcept { return last_own_cause_; }
  std::uint32_t last_any_cause() const noexcept { return last_any_cause_; }

 private:
  ParallelFile() = default;
  Status set_properties(const H5Properties& file_access,
                        const std::map<std::string, std::string>& hints, const Communicator& comm);
  Status note_cause();
  /// The status of a transfer, once the other ranks wait for nothing of it.
  Status finish_transfer(herr_t return_code, const char* function, const char* object);

  H5File file_;
  IoHints hints_in_force_;  // those that HDF5 hands to MPI-IO with every view
  IoMode io_ = IoMode::independent;
  H5Properties dataset_access_;
  H5Properties transfer_;
  H5Properties collective_transfer_;
  std::uint32_t no_collective_cause_ = 0;
  std::uint32_t last_own_cause_ = 0;
  std::uint32_t last_any_cause_ = 0;
};

}  // namespace shardmark
