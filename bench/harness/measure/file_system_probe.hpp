// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "bench/config/config.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/storage/format/storage_options.hpp"
#include "shardmark/storage/probe/certificate.hpp"

namespace shardmark::bench {

/// Local. Version and commit of this program: what it finds of a file system holds for it alone.
std::string probing_program();

/// Collective; outside what is timed. What the file system of `directory` does: the kept
/// certificate, or a probe now, with what storage.assume and storage.coherent say instead. Makes
/// the directory (its last component). What is weaker there becomes a notice. A probe that fails is
/// a notice too, and nothing is known then. Errors, agreed: those of make_checkpoint_root;
/// invalid_argument where another node does not see the same directory, and where stripes are asked
/// for that cannot be set.
Result<FileSystemCertificate> probed_for_save(const std::string& directory,
                                              const StorageConfig& storage,
                                              const Communicator& comm);

/// Local. What was found acts on how a save is written.
void follow_traits(const FileSystemTraits& traits, StorageOptions& options);

}  // namespace shardmark::bench
