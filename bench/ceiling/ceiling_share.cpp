// SPDX-License-Identifier: Apache-2.0
#include "bench/ceiling/ceiling_share.hpp"

#include <algorithm>
#include <utility>

namespace shardmark::bench {
namespace {

constexpr std::int64_t block_bytes = 4096;

void round_up(std::vector<std::int64_t>& all) {
  for (std::int64_t& bytes : all) {
    bytes = (bytes + block_bytes - 1) / block_bytes * block_bytes;
  }
}

}  // namespace

CeilingShares::CeilingShares(std::vector<std::int64_t> stored, std::vector<std::int64_t> wanted)
    : stored_(std::move(stored)), wanted_(std::move(wanted)) {
  round_up(stored_);
  round_up(wanted_);
  starts_.push_back(0);
  for (const std::int64_t bytes : stored_) {
    starts_.push_back(starts_.back() + bytes);
  }
}

void CeilingShares::append(std::vector<CeilingPiece>& pieces, std::size_t file, std::int64_t from,
                           std::int64_t num_bytes, std::int64_t piece_bytes, FileSharing sharing,
                           std::int64_t address) const {
  const bool one_file = sharing == FileSharing::one_file;
  for (std::int64_t done = 0; done < num_bytes; done += piece_bytes) {
    const std::int64_t at = from + done;
    pieces.push_back({one_file ? 0 : file, one_file ? address + starts_[file] + at : at,
                      starts_[file] + at, std::min(piece_bytes, num_bytes - done)});
  }
}

std::vector<CeilingPiece> CeilingShares::written(int rank, std::int64_t piece_bytes,
                                                 FileSharing sharing,
                                                 std::int64_t limit_bytes) const {
  std::vector<CeilingPiece> pieces;
  const auto own = static_cast<std::size_t>(rank);
  append(pieces, own, 0, std::min(stored_[own], limit_bytes), piece_bytes, sharing, 0);
  return pieces;
}

std::vector<CeilingPiece> CeilingShares::read(int rank, std::int64_t piece_bytes,
                                              FileSharing sharing, std::int64_t address,
                                              std::int64_t limit_bytes) const {
  std::vector<CeilingPiece> pieces;
  auto file = static_cast<std::size_t>(rank);
  std::int64_t left = total_bytes() == 0 ? 0 : std::min(wanted_[file], limit_bytes);
  while (left > 0) {
    const std::int64_t part = std::min(left, stored_[file]);
    append(pieces, file, 0, part, piece_bytes, sharing, address);
    left -= part;
    file = (file + 1) % stored_.size();
  }
  return pieces;
}

}  // namespace shardmark::bench
