// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "shardmark/mpi/communicator.hpp"

namespace shardmark::bench {

/// Collective; waits for all, as a barrier does. Whether any rank must leave, so that no other
/// finalizes without it. One that must waits some seconds for the others at most, who may hang.
bool any_must_leave(bool must_leave, const Communicator& comm);

/// Local, never returns. Ends a rank after storage became unusable (hdf5_unusable()): no exit
/// handler of HDF5 or MPI runs, no collective either. Rank 0 must have said and written everything
/// before; the others wait a little first, since the launcher ends every rank when one leaves.
[[noreturn]] void leave_at_once(bool is_root);

}  // namespace shardmark::bench
