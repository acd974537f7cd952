// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "shardmark/core/result.hpp"

namespace shardmark {

/// Local. MPI's return code as a Status: "MPI_Bcast: MPI_ERR_...". The one place where codes are
/// read.
Status mpi_call(int return_code, const char* function);

/// Local. Ends the whole job with one message on stderr, where a rank can neither go on nor tell
/// the others, which would wait for it in a collective.
[[noreturn]] void abort_job(const char* message);

}  // namespace shardmark
