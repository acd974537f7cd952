// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "shardmark/core/box.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/plan/entry_table.hpp"
#include "shardmark/storage/hdf5/handle.hpp"
#include "shardmark/storage/hdf5/parallel_file.hpp"

namespace shardmark {

/// Most bytes of one HDF5 transfer. HDF5 1.10.8 fails on one independent transfer of 2 GiB and
/// more.
inline constexpr std::int64_t max_transfer_bytes = std::int64_t{512} << 20;
/// Most bytes of one transfer through staging: the buffer's size.
inline constexpr std::int64_t staging_bytes = std::int64_t{8} << 20;

/// One transfer: a slab of a task's box.
struct TransferPiece {
  std::size_t task = 0;
  std::uint32_t entry = 0;
  Box box;              // in the global tensor
  bool staged = false;  // its strides no HDF5 selection can express
};

/// Local. Appends the pieces of one task. `strides` are those of its elements.
void append_pieces(std::size_t task, std::uint32_t entry, const Box& box, const Dims& strides,
                   std::int64_t itemsize, std::vector<TransferPiece>& pieces);

/// Moves one piece, or, with null, takes part in a collective transfer with nothing.
using TransferOne =
    std::function<Status(const H5Dataset& dataset, const H5Type& type, const TransferPiece* piece)>;

/// Collective. Runs pieces (by entry ascending) in the given mode. In collective mode all ranks
/// walk the same entries in the same order, as often as the rank with most pieces needs; a rank
/// that fails goes on taking part with nothing, so that no other waits for it. `check` looks at a
/// dataset once when it is opened. The first local failure is returned, not agreed.
Status run_transfers(const ParallelFile& file, IoMode io, const EntryTable& entries,
                     const std::vector<TransferPiece>& pieces,
                     const std::function<Status(const H5Dataset&, std::uint32_t entry)>& check,
                     const TransferOne& transfer, const Communicator& comm);

}  // namespace shardmark
