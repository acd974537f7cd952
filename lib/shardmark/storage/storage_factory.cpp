// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/hdf5/shared_file_reader.hpp"
#include "shardmark/storage/hdf5/shared_file_writer.hpp"
#include "shardmark/storage/null/null_writer.hpp"
#include "shardmark/storage/storage_reader.hpp"
#include "shardmark/storage/storage_writer.hpp"

namespace shardmark {

std::unique_ptr<StorageWriter> make_storage_writer(const StorageOptions& options,
                                                   const Communicator& comm, PhaseClock& clock) {
  if (options.backend == Backend::null) {
    return std::make_unique<NullWriter>(options.checksum, clock);
  }
  return std::make_unique<SharedFileWriter>(options, comm, clock);
}

std::unique_ptr<StorageReader> make_storage_reader(FileLayout /*layout*/, IoMode io,
                                                   const Communicator& comm) {
  return std::make_unique<SharedFileReader>(io, comm);
}

}  // namespace shardmark
