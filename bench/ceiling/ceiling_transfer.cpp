// SPDX-License-Identifier: Apache-2.0
#include "bench/ceiling/ceiling_transfer.hpp"

#include <fcntl.h>

#include <cstring>

#include "bench/ceiling/raw_pieces.hpp"

namespace shardmark::bench {
namespace {

Status move_in_memory(const CeilingTransfer& transfer) {
  transfer.clock.enter(Phase::stage);
  return for_each_piece(transfer.pieces, transfer.option.threads,
                        [&](const CeilingPiece& piece) -> Status {
                          const auto to = transfer.memory.target(piece);
                          std::memcpy(to.data(), transfer.memory.source(piece).data(), to.size());
                          return {};
                        });
}

Status move_through_files(const CeilingTransfer& transfer) {
  const bool saves = transfer.kind.saves;
  transfer.clock.enter(saves ? Phase::write : Phase::read);
  const int flags = (saves ? O_WRONLY : O_RDONLY) | (transfer.kind.o_direct ? O_DIRECT : 0);
  SHARDMARK_ASSIGN_OR_RETURN(const RawFiles raw,
                             open_raw_files(transfer.paths, flags, transfer.pieces));
  const Status moved = for_each_piece(
      transfer.pieces, transfer.option.threads, [&](const CeilingPiece& piece) -> Status {
        const FileDescriptor& file = raw.files[piece.file];
        const std::string& path = raw.paths[piece.file];
        if (!saves) {
          return read_at(file, path, transfer.memory.target(piece), piece.offset);
        }
        SHARDMARK_RETURN_IF_ERROR(
            write_at(file, path, transfer.memory.source(piece), piece.offset));
        if (!transfer.kind.o_direct) {
          begin_writeback(file, piece.offset, piece.num_bytes);
        }
        return {};
      });
  SHARDMARK_RETURN_IF_ERROR(moved);
  if (!saves) {
    return {};
  }
  transfer.clock.enter(Phase::flush);
  return fsync_all(raw);
}

}  // namespace

Status move_ceiling(const CeilingTransfer& transfer) {
  switch (transfer.kind.layer) {
    case CeilingLayer::memcpy:
      return move_in_memory(transfer);
    case CeilingLayer::mpi_io:
      return move_through_mpi_io(transfer);
    case CeilingLayer::bare_hdf5:
      return move_through_hdf5(transfer);
    default:
      return move_through_files(transfer);
  }
}

}  // namespace shardmark::bench
