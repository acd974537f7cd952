// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <hdf5.h>

#include "shardmark/core/result.hpp"
#include "shardmark/mpi/io_hints.hpp"
#include "shardmark/storage/hdf5/library/handle.hpp"

namespace shardmark {

// HDF5 ends a collective transfer with MPI_File_set_view, which is collective too, and leaves it
// out where the transfer failed: that rank makes up for it, or the ranks whose part succeeded would
// wait there for ever (ROMIO).

/// Local. The hints that HDF5 hands to MPI-IO with every view of a file that was opened with this
/// access list: HDF5 1.14 has put there what MPI-IO made of them. Errors: those of
/// H5Pget_fapl_mpio.
Result<IoHints> hints_in_force(const H5Properties& file_access, const char* path);

/// Local, of the H5Dwrite or H5Dread that has just returned, before its status is looked at:
/// whether it has left its last view out.
bool final_view_left_out(herr_t return_code);

/// Collective with the last view of the ranks whose part succeeded. `hints` as HDF5 gives them:
/// ROMIO compares each between the ranks. `failed`, the transfer's own status, is what is told; a
/// failure here only adds to it.
Status make_up_for_final_view(const H5File& file, const IoHints& hints, const Status& failed);

}  // namespace shardmark
