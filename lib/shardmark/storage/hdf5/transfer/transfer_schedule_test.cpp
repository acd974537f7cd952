// SPDX-License-Identifier: Apache-2.0
// Pieces of a box are all of it, each element once, none larger than a transfer may be.
#include "shardmark/storage/hdf5/transfer/transfer_schedule.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <vector>

#include "shardmark/core/cover.hpp"

namespace shardmark {
namespace {

std::vector<TransferPiece> pieces_of(const Box& box, const Dims& strides, std::int64_t itemsize) {
  std::vector<TransferPiece> pieces;
  append_pieces(3, {.dataset = 7, .origin = Dims::filled(box.ndim(), 0)}, box, strides, itemsize,
                pieces);
  return pieces;
}

TEST(TransferSchedule, ALargeBoxIsCutIntoSlabsOfAtMostATransfer) {
  const Box box{{5, 0}, {700, std::int64_t{1} << 20}};  // 5.5 GiB of float64
  const auto pieces = pieces_of(box, row_major_strides(box.sizes), 8);
  EXPECT_GE(pieces.size(), 11U);
  std::int64_t next = box.offsets[0];
  for (const TransferPiece& piece : pieces) {
    EXPECT_EQ(piece.task, 3U);
    EXPECT_EQ(piece.dataset, 7U);
    EXPECT_FALSE(piece.staged);
    EXPECT_LE(piece.box.num_elements() * 8, max_transfer_bytes);
    EXPECT_EQ(piece.box.offsets, (Dims{next, 0}));
    EXPECT_EQ(piece.box.sizes[1], box.sizes[1]);
    EXPECT_EQ(piece.in_dataset.offsets, piece.box.offsets);
    next += piece.box.sizes[0];
  }
  EXPECT_EQ(next, box.offsets[0] + box.sizes[0]);
}

TEST(TransferSchedule, TransposedElementsAreStagedInPiecesOfTheBuffer) {
  const Box box{{0, 0}, {2048, 4096}};  // 32 MiB of int32
  const auto pieces = pieces_of(box, {1, 2048}, 4);
  std::int64_t elements = 0;
  for (const TransferPiece& piece : pieces) {
    EXPECT_TRUE(piece.staged);
    EXPECT_LE(piece.box.num_elements() * 4, staging_bytes);
    elements += piece.box.num_elements();
  }
  EXPECT_EQ(elements, box.num_elements());
}

TEST(TransferSchedule, PackedPartsLieWhereTheirChunkHasThem) {
  // Columns 1 and 2 of a [3, 4] chunk that begins at element 100 of a 1-D dataset.
  const StoredPiece chunk{.file = 0, .address = 0, .offsets = {0, 0}, .sizes = {3, 4}};
  const Box box{{0, 1}, {3, 2}};
  std::vector<TransferPiece> pieces;
  append_packed_pieces(0, {.dataset = 0, .origin = {0}, .first = 100}, chunk, box, {2, 1}, 4,
                       pieces);
  std::set<std::int64_t> places;
  for (const TransferPiece& piece : pieces) {
    ASSERT_EQ(piece.in_dataset.ndim(), 1);
    EXPECT_EQ(piece.in_dataset.num_elements(), piece.box.num_elements());
    for (std::int64_t i = 0; i < piece.in_dataset.sizes[0]; ++i) {
      EXPECT_TRUE(places.insert(piece.in_dataset.offsets[0] + i).second);
    }
  }
  EXPECT_EQ(places, (std::set<std::int64_t>{101, 102, 105, 106, 109, 110}));
}

}  // namespace
}  // namespace shardmark
