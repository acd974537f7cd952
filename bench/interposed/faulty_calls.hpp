// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

namespace shardmark::interposed {

/// The kinds of calls that can be made to fail. What MPI-IO opens is a kind of its own: where that
/// fails on one rank alone, Open MPI's others wait inside MPI_File_open() for ever.
enum class CallKind {
  open_of_mpi,
  open,
  read,
  write,
  sync,
  sync_folder,
  truncate,
  allocate,
  rename,
  remove,
  make_folder,
  close,
  count
};

/// Counts a watched call of this process and decides what becomes of it.
///   SHARDMARK_TORTURE_FAULT = KIND:N:WHAT:TIMES   the N-th call of the kind (from 0) on
///     WHAT  an errno as a number, or "short": half of a transfer is done
///     TIMES "once" or "always"
///   SHARDMARK_TORTURE_RANK  the rank that it happens on
///   SHARDMARK_TORTURE_HITS  a file that gets "hit KIND PATH" for every call that was changed, and
///     "count RANK KIND N" at the end of every process that ends by itself
struct Fault {
  int number = 0;         // errno that the call fails with; 0: it does not
  bool is_short = false;  // half of the transfer is done
};
Fault fault_of(CallKind kind, const std::string& path);

/// What a transfer of so many bytes may do.
inline std::size_t shortened(const Fault& fault, std::size_t num_bytes) {
  return fault.is_short && num_bytes > 1 ? (num_bytes + 1) / 2 : num_bytes;
}

}  // namespace shardmark::interposed
