// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "shardmark/core/result.hpp"
#include "shardmark/storage/hdf5/library/handle.hpp"

namespace shardmark {

/// Local. File access properties without HDF5's own locks: a save's files lie in a directory that
/// nobody else touches, and many file systems have no locks to give. HDF5_USE_FILE_LOCKING in the
/// environment still decides.
Result<H5Properties> unlocked_access();

}  // namespace shardmark
