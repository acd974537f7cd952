// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/hdf5/library/final_view.hpp"

#include <mpi.h>

#include "shardmark/mpi/mpi_call.hpp"
#include "shardmark/storage/hdf5/library/hdf5_call.hpp"

namespace shardmark {

Result<IoHints> hints_in_force(const H5Properties& file_access, const char* path) {
  MPI_Info info = MPI_INFO_NULL;
  SHARDMARK_RETURN_IF_ERROR(
      hdf5_status(H5Pget_fapl_mpio(file_access.get(), nullptr, &info), "H5Pget_fapl_mpio", path));
  return IoHints::adopt(info);
}

bool final_view_left_out(herr_t return_code) {
  // Only collective transfers name these functions.
  return return_code < 0 &&
         (hdf5_failed_in("MPI_File_write_at_all") || hdf5_failed_in("MPI_File_read_at_all"));
}

Status make_up_for_final_view(const H5File& file, const IoHints& hints, const Status& failed) {
  void* handle = nullptr;
  Status made_up =
      hdf5_status(H5Fget_vfd_handle(file.get(), H5P_DEFAULT, &handle), "H5Fget_vfd_handle", "");
  if (made_up) {
    made_up = mpi_call(MPI_File_set_view(*static_cast<MPI_File*>(handle), 0, MPI_BYTE, MPI_BYTE,
                                         "native", hints.get()),
                       "MPI_File_set_view");
  }
  return made_up ? failed
                 : Status(Error{failed.error().code,
                                failed.error().message + "; then " + made_up.error().message});
}

}  // namespace shardmark
