// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "shardmark/core/result.hpp"

namespace shardmark {

/// Local. MPI's return code as a Status: "MPI_Bcast: MPI_ERR_...". The one place where codes are
/// read.
Status mpi_call(int return_code, const char* function);

}  // namespace shardmark
