// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <utility>

#include "shardmark/storage/contract/storage_reader.hpp"
#include "shardmark/storage/contract/storage_writer.hpp"
#include "shardmark/storage/direct/direct_reader.hpp"
#include "shardmark/storage/direct/direct_writer.hpp"
#include "shardmark/storage/direct/raw_file_set.hpp"
#include "shardmark/storage/hdf5/files/hdf5_file_set.hpp"
#include "shardmark/storage/hdf5/transfer/hdf5_reader.hpp"
#include "shardmark/storage/hdf5/transfer/hdf5_writer.hpp"
#include "shardmark/storage/mpiio/mpiio_reader.hpp"
#include "shardmark/storage/mpiio/mpiio_writer.hpp"
#include "shardmark/storage/null/null_writer.hpp"

namespace shardmark {

std::unique_ptr<StorageWriter> make_storage_writer(const StorageOptions& options,
                                                   const Communicator& comm, PhaseClock& clock) {
  if (options.backend == Backend::null) {
    return std::make_unique<NullWriter>(options.checksum, clock);
  }
  if (options.backend != Backend::hdf5) {
    auto files = std::make_unique<RawFileSet>(options, comm, clock);
    if (options.backend == Backend::mpiio) {
      return std::make_unique<MpiioWriter>(std::move(files), options, comm, clock);
    }
    return std::make_unique<DirectWriter>(std::move(files), options, comm, clock);
  }
  auto files = std::make_unique<Hdf5FileSet>(options, comm, clock);
  if (options.io == IoMode::direct) {
    return std::make_unique<DirectWriter>(std::move(files), options, comm, clock);
  }
  return std::make_unique<Hdf5Writer>(std::move(files), options, comm, clock);
}

bool reads_by_exchange(Backend backend, IoMode io) noexcept {
  return backend != Backend::mpiio && (io == IoMode::direct || backend != Backend::hdf5);
}

std::unique_ptr<StorageReader> make_storage_reader(const ReadOptions& options,
                                                   const Communicator& comm, PhaseClock* clock) {
  if (reads_by_exchange(options.backend, options.io)) {
    return std::make_unique<DirectReader>(options, comm, clock);
  }
  if (options.backend == Backend::mpiio) {
    return std::make_unique<MpiioReader>(options, comm);
  }
  return std::make_unique<Hdf5Reader>(options, comm);
}

}  // namespace shardmark
