// SPDX-License-Identifier: Apache-2.0
#include "bench/ceiling/ceiling_memory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "bench/ceiling/ceiling_kind.hpp"

namespace shardmark::bench {
namespace {

constexpr std::int64_t huge_page_bytes = std::int64_t{2} << 20;

/// A period and the begin of the next one, so that no piece is cut at its end.
std::int64_t room_for(std::int64_t period_bytes) {
  return period_bytes + std::min(period_bytes, max_ceiling_piece_bytes);
}

std::uint64_t mixed(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ULL;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBULL;
  return value ^ (value >> 31);
}

}  // namespace

std::int64_t CeilingMemory::period_for(std::int64_t num_bytes, std::int64_t limit) {
  const std::int64_t wanted = std::min(
      num_bytes, std::max(limit / huge_page_bytes * huge_page_bytes, max_ceiling_piece_bytes));
  const std::int64_t pages = (wanted + huge_page_bytes - 1) / huge_page_bytes;
  return std::max<std::int64_t>(1, pages) * huge_page_bytes;
}

Status CeilingMemory::reserve(std::int64_t period_bytes) {
  const std::int64_t num_bytes = room_for(period_bytes);
  if (target_.bytes().size() >= static_cast<std::size_t>(num_bytes)) {  // the one that is made last
    return {};
  }
  SHARDMARK_ASSIGN_OR_RETURN(source_, HostBuffer::make(num_bytes));
  SHARDMARK_ASSIGN_OR_RETURN(target_, HostBuffer::make(num_bytes));
  return {};
}

void CeilingMemory::fill(std::uint64_t seed, std::int64_t period_bytes) {
  period_bytes_ = period_bytes;
  const auto num_bytes = static_cast<std::size_t>(period_bytes);
  auto* const words = reinterpret_cast<std::uint64_t*>(source_.bytes().data());
  const std::uint64_t start = (seed + 1) * 0x9E3779B97F4A7C15ULL;
  for (std::size_t i = 0; i < num_bytes / sizeof(std::uint64_t); ++i) {
    words[i] = mixed(start + i);
  }
  std::memcpy(source_.bytes().data() + num_bytes, source_.bytes().data(),
              static_cast<std::size_t>(room_for(period_bytes) - period_bytes));
}

std::size_t CeilingMemory::place(const CeilingPiece& piece) const {
  return static_cast<std::size_t>(piece.position % period_bytes_);
}

void CeilingMemory::poison() {
  std::memset(target_.bytes().data(), 0xA5, static_cast<std::size_t>(room_for(period_bytes_)));
}

std::span<const std::byte> CeilingMemory::source(const CeilingPiece& piece) const {
  return source_.bytes().subspan(place(piece), static_cast<std::size_t>(piece.num_bytes));
}

std::span<std::byte> CeilingMemory::target(const CeilingPiece& piece) const {
  return target_.bytes().subspan(place(piece), static_cast<std::size_t>(piece.num_bytes));
}

Status CeilingMemory::compare(std::span<const CeilingPiece> pieces) const {
  for (const CeilingPiece& piece : pieces) {
    const auto found = target(piece);
    if (std::memcmp(found.data(), source(piece).data(), found.size()) != 0) {
      return Error{ErrorCode::data_loss,
                   fmt::format("ceiling: bytes {} to {} came back wrong", piece.position,
                               piece.position + piece.num_bytes)};
    }
  }
  return {};
}

}  // namespace shardmark::bench
