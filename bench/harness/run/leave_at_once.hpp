// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace shardmark::bench {

/// Local, never returns. Ends a rank after storage became unusable (hdf5_unusable()): no exit
/// handler of HDF5 or MPI runs, no collective either. Rank 0 must have said and written everything
/// before; the others wait a little first, since the launcher ends every rank when one leaves.
[[noreturn]] void leave_at_once(bool is_root);

}  // namespace shardmark::bench
