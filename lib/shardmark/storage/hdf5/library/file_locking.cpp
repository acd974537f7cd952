// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/hdf5/library/file_locking.hpp"

#include "shardmark/storage/hdf5/library/hdf5_call.hpp"

namespace shardmark {

Result<H5Properties> unlocked_access() {
  SHARDMARK_ASSIGN_OR_RETURN(
      H5Properties access,
      hdf5_handle<H5Properties>(H5Pcreate(H5P_FILE_ACCESS), "H5Pcreate", "of a file"));
  // Older versions leave it to the environment alone.
#if H5_VERSION_GE(1, 12, 1) || (H5_VERSION_GE(1, 10, 7) && !H5_VERSION_GE(1, 12, 0))
  SHARDMARK_RETURN_IF_ERROR(hdf5_status(H5Pset_file_locking(access.get(), false, true),
                                        "H5Pset_file_locking", "of a file"));
#endif
  return access;
}

}  // namespace shardmark
