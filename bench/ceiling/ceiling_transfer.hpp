// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "bench/ceiling/ceiling_kind.hpp"
#include "bench/ceiling/ceiling_memory.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/profile/phase_times.hpp"

namespace shardmark::bench {

/// One rank's part of one movement of a ceiling's bytes.
struct CeilingTransfer {
  const CeilingKind& kind;
  const CeilingOption& option;
  std::span<const CeilingPiece> pieces;   // their memory is `memory`
  const std::vector<std::string>& paths;  // by CeilingPiece::file
  std::int64_t total_bytes = 0;           // of all ranks' files
  const CeilingMemory& memory;
  PhaseClock& clock;
  const Communicator& comm;
};

/// Collective. Moves the pieces, durably when saving: open, move, fsync, close, in phases write and
/// flush, or read, or stage for memory alone. Errors, not agreed: io_error, no_space.
Status move_ceiling(const CeilingTransfer& transfer);

/// The parts of it, for layers that are more than a few lines. Every rank must be able to open the
/// file (CeilingFolder::ask_to_open): they do not ask, since nobody would in the time that counts.
Status move_through_mpi_io(const CeilingTransfer& transfer);
Status move_through_hdf5(const CeilingTransfer& transfer);

/// Collective. Byte offset of the one dataset in a file that move_through_hdf5 has made.
Result<std::int64_t> bare_dataset_address(const std::string& path, const Communicator& comm);

}  // namespace shardmark::bench
