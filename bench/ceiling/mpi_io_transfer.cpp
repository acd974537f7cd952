// SPDX-License-Identifier: Apache-2.0
#include <mpi.h>

#include <algorithm>

#include "bench/ceiling/ceiling_transfer.hpp"
#include "shardmark/mpi/mpi_call.hpp"

namespace shardmark::bench {
namespace {

Status move_piece(MPI_File file, const CeilingTransfer& transfer, const CeilingPiece* piece) {
  const std::int64_t offset = piece == nullptr ? 0 : piece->offset;
  const auto count = static_cast<int>(piece == nullptr ? 0 : piece->num_bytes);
  MPI_Status status;
  if (transfer.kind.saves) {
    const std::byte* from = piece == nullptr ? nullptr : transfer.memory.source(*piece).data();
    return mpi_call(transfer.option.collective
                        ? MPI_File_write_at_all(file, offset, from, count, MPI_BYTE, &status)
                        : MPI_File_write_at(file, offset, from, count, MPI_BYTE, &status),
                    "MPI_File_write_at");
  }
  std::byte* to = piece == nullptr ? nullptr : transfer.memory.target(*piece).data();
  return mpi_call(transfer.option.collective
                      ? MPI_File_read_at_all(file, offset, to, count, MPI_BYTE, &status)
                      : MPI_File_read_at(file, offset, to, count, MPI_BYTE, &status),
                  "MPI_File_read_at");
}

Status move_pieces(MPI_File file, const CeilingTransfer& transfer) {
  std::size_t rounds = transfer.pieces.size();
  if (transfer.option.collective) {
    rounds = static_cast<std::size_t>(
        transfer.comm.all_reduce(static_cast<std::int64_t>(rounds), MPI_MAX));
  }
  Status moved;
  for (std::size_t i = 0; i < rounds; ++i) {
    const CeilingPiece* piece = i < transfer.pieces.size() ? &transfer.pieces[i] : nullptr;
    if (piece != nullptr || transfer.option.collective) {
      const Status done = move_piece(file, transfer, piece);
      moved = moved ? done : moved;  // a collective round needs every rank, failed or not
    }
  }
  return moved;
}

}  // namespace

Status move_through_mpi_io(const CeilingTransfer& transfer) {
  const bool saves = transfer.kind.saves;
  transfer.clock.enter(saves ? Phase::write : Phase::read);
  MPI_File file = MPI_FILE_NULL;
  const int mode = saves ? MPI_MODE_WRONLY : MPI_MODE_RDONLY;
  Status opened = transfer.comm.agree(
      mpi_call(MPI_File_open(transfer.comm.handle(), transfer.paths.front().c_str(), mode,
                             MPI_INFO_NULL, &file),
               "MPI_File_open"));
  if (!opened) {
    return opened;
  }
  Status moved = move_pieces(file, transfer);
  if (saves) {
    transfer.clock.enter(Phase::flush);
    const Status synced = mpi_call(MPI_File_sync(file), "MPI_File_sync");
    moved = moved ? synced : moved;
  }
  const Status closed = mpi_call(MPI_File_close(&file), "MPI_File_close");
  return moved ? closed : moved;
}

}  // namespace shardmark::bench
