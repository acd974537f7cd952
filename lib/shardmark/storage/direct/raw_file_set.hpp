// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "shardmark/mpi/communicator.hpp"
#include "shardmark/profile/phase_times.hpp"
#include "shardmark/storage/contract/storage_writer.hpp"
#include "shardmark/storage/hdf5/files/hdf5_file_set.hpp"

namespace shardmark {

/// Collective; the same status on every rank. The files of back ends without HDF5: every chunk by
/// itself, a rank's chunks end to end in the order of its plan, in a file a rank (`posix`) or in
/// one file (the others), where each rank begins a block of its own. Checksums, then the manifest,
/// are the end of the entry file. Reserves the space and fills in the target's manifest.
Result<FileSet> create_raw_file_set(const SaveTarget& target, const StorageOptions& options,
                                    const Communicator& comm, PhaseClock& clock);

/// Local. Appends the manifest's bytes to the entry file, durably. Returns their address. Errors:
/// io_error, no_space; io_error if they did not reach the file.
Result<std::int64_t> append_manifest(const std::string& path, std::span<const std::byte> bytes);

}  // namespace shardmark
