// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace shardmark {

/// Local. True after a write inside HDF5 failed in this process: closing its files could hang, so
/// they stay open for ever, further HDF5 work is refused, and the process must leave by _exit.
bool hdf5_unusable() noexcept;

/// Local. Calls into HDF5 so far that were not transfers of elements: creating, opening, closing,
/// describing files and what is in them.
std::int64_t hdf5_metadata_calls() noexcept;

/// Local. "1.10.8", of the library that is loaded.
std::string hdf5_library_version();

/// Local. After a failed write: no file is closed any more, all later HDF5 work is refused. For all
/// ranks alike: one that goes on into a collective call of HDF5 would wait for the others for ever.
void mark_hdf5_unusable() noexcept;

/// Local. Told of every object that was closed without anybody looking: counts those in files, and
/// remembers a failure until a file is closed.
void note_hdf5_close(bool closed, bool in_file) noexcept;

}  // namespace shardmark
