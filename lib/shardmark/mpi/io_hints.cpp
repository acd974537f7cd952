// SPDX-License-Identifier: Apache-2.0
#include "shardmark/mpi/io_hints.hpp"

#include "shardmark/mpi/mpi_call.hpp"

namespace shardmark {

Result<IoHints> IoHints::make(const std::map<std::string, std::string>& hints) {
  IoHints made;
  if (hints.empty()) {
    return made;
  }
  SHARDMARK_RETURN_IF_ERROR(mpi_call(MPI_Info_create(&made.info_), "MPI_Info_create"));
  for (const auto& [key, value] : hints) {
    SHARDMARK_RETURN_IF_ERROR(
        mpi_call(MPI_Info_set(made.info_, key.c_str(), value.c_str()), "MPI_Info_set"));
  }
  return made;
}

IoHints IoHints::adopt(MPI_Info info) {
  IoHints made;
  made.info_ = info;
  return made;
}

Status IoHints::release() {
  return info_ == MPI_INFO_NULL ? Status() : mpi_call(MPI_Info_free(&info_), "MPI_Info_free");
}

}  // namespace shardmark
