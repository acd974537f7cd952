// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

#include "shardmark/storage/contract/storage_reader.hpp"
#include "shardmark/storage/hdf5/library/parallel_file.hpp"
#include "shardmark/storage/hdf5/transfer/staging.hpp"
#include "shardmark/storage/hdf5/transfer/transfer_schedule.hpp"

namespace shardmark {

/// I/O modes `collective` and `independent`: what lies in the entry file is read through HDF5's
/// MPI-IO driver; each dataset's address, shape and size must be the manifest's. Data files are
/// read by the manifest alone, so that HDF5 need not open them and a load not hash them.
class Hdf5Reader final : public StorageReader {
 public:
  Hdf5Reader(const ReadOptions& options, const Communicator& comm)
      : options_(options), comm_(comm) {}

  Status read(const std::string& directory, const Manifest& manifest,
              std::span<const ReadTask> tasks) override;
  const ReadCounters& counters() const noexcept override { return counters_; }

 private:
  Status read_entry_file(const std::string& path, const Manifest& manifest,
                         std::span<const ReadTask> tasks);
  Status read_data_files(const std::string& directory, const Manifest& manifest,
                         std::span<const ReadTask> tasks);
  Status read_piece(ParallelFile& file, const H5Dataset& dataset, const H5Type& type,
                    const TransferPiece* piece, std::span<const ReadTask> tasks);

  ReadOptions options_;
  const Communicator& comm_;
  StagingBuffer staging_;
  ReadCounters counters_;
};

}  // namespace shardmark
