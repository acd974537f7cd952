// SPDX-License-Identifier: Apache-2.0
#include "shardmark/mpi/mpi_call.hpp"

#include <fmt/format.h>
#include <mpi.h>

#include <array>
#include <cstdio>
#include <cstdlib>

namespace shardmark {

Status mpi_call(int return_code, const char* function) {
  if (return_code == MPI_SUCCESS) {
    return {};
  }
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(return_code, text.data(), &length);
  return Error{ErrorCode::internal, fmt::format("{}: {}", function, text.data())};
}

void abort_job(const char* message) {
  std::fprintf(stderr, "shardmark: error: %s\n", message);
  std::fflush(stderr);
  MPI_Abort(MPI_COMM_WORLD, 1);
  std::abort();
}

}  // namespace shardmark
