// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <hdf5.h>

#include "shardmark/core/result.hpp"
#include "shardmark/storage/hdf5/library/handle.hpp"
#include "shardmark/storage/hdf5/library/hdf5_state.hpp"

namespace shardmark {

/// Held around every use of HDF5: the library is not for several threads, and a save in the
/// background uses it beside the caller. One thread may hold it more than once.
class Hdf5Lock {
 public:
  Hdf5Lock();
  ~Hdf5Lock();
  Hdf5Lock(const Hdf5Lock&) = delete;
  Hdf5Lock& operator=(const Hdf5Lock&) = delete;
};

/// Local. Makes HDF5 ready for this process: silent, and without an exit handler, which would close
/// files that a failed write has left unsafe to close. Before the first HDF5 call; cheap when
/// repeated. Errors: io_error once mark_hdf5_unusable() was called.
Status prepare_hdf5();

/// Local. The innermost message of HDF5's error stack, in the form "FUNCTION OBJECT: why". The one
/// place where HDF5's return codes become errors.
Error hdf5_error(const char* function, const char* object);

/// Local. True if HDF5's error stack, of the call that has just failed, names `what`.
bool hdf5_failed_in(const char* what);

/// Local. Counts a call for hdf5_metadata_calls(), unless it moved elements or touched no file.
void note_hdf5_call(const char* function) noexcept;

inline Status hdf5_status(herr_t return_code, const char* function, const char* object) {
  note_hdf5_call(function);
  return return_code < 0 ? Status(hdf5_error(function, object)) : Status();
}

/// Local. H5Fclose, with its status; that of objects closed unseen before it counts as its own.
Status close_hdf5_file(H5File& file, const char* path);

/// Local. Takes over the identifier that an HDF5 call returned.
template <typename Handle>
Result<Handle> hdf5_handle(hid_t id, const char* function, const char* object) {
  note_hdf5_call(function);
  if (id < 0) {
    return hdf5_error(function, object);
  }
  return Handle(id);
}

}  // namespace shardmark
