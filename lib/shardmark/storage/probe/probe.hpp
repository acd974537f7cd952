// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/storage/probe/certificate.hpp"

namespace shardmark {

/// Collective. Finds out what the file system of `directory`, which must exist, does, by doing it
/// in a hidden folder that is removed; keeps the certificate. `program` names version and commit.
/// The same on all ranks. Errors, agreed: not_found; io_error where nothing can be made there;
/// invalid_argument where another node does not see the same directory.
Result<FileSystemCertificate> probe_file_system(const std::string& directory,
                                                const std::string& program,
                                                const Communicator& comm);

/// Collective. As probe_file_system(), but takes a kept certificate where there is one.
Result<FileSystemCertificate> certificate_of(const std::string& directory,
                                             const std::string& program, const Communicator& comm);

}  // namespace shardmark
