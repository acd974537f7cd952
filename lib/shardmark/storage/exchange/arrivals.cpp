// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/exchange/arrivals.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "shardmark/plan/tables/byte_codec.hpp"

namespace shardmark {
namespace {

/// Blocks that lie in gaps altogether: nobody has an element there.
std::vector<ByteRange> empty_blocks(std::span<const ByteRange> gaps, std::int64_t block) {
  std::vector<ByteRange> list;
  for (const ByteRange& gap : gaps) {
    const ByteRange inner{(gap.begin + block - 1) / block * block, gap.end / block * block};
    if (!inner.empty()) {
      list.push_back(inner);
    }
  }
  return list;
}

}  // namespace

std::vector<std::byte> encode(const RegionPieces& pieces, const Region& region,
                              const std::byte* region_bytes) {
  ByteWriter out;
  out.reserve(static_cast<std::size_t>(num_bytes(pieces.ranges)) + 24 + 6 * pieces.ranges.size());
  out.varint(region.number);
  out.count(pieces.own_bytes);
  out.varint(pieces.ranges.size());
  std::int64_t at = region.bytes.begin;
  for (const ByteRange& range : pieces.ranges) {
    out.count(range.begin - at);
    out.count(range.num_bytes());
    at = range.end;
  }
  for (const ByteRange& range : pieces.ranges) {
    out.raw({region_bytes + (range.begin - region.bytes.begin),
             static_cast<std::size_t>(range.num_bytes())});
  }
  return std::move(out).take();
}

void Arrivals::Freed::operator()(std::byte* bytes) const noexcept {
  std::free(bytes);
}

Arrivals::Arrivals(const Setting& setting) : setting_(setting) {
  for (std::size_t k = 0; k < setting_.regions.size(); ++k) {
    const Region& region = setting_.regions[k];
    const bool keeps = region.has_kept && setting_.files[region.file].keeper == setting_.rank;
    if (writes(k) || keeps) {
      awaited_.push_back(k);
    }
  }
  is_complete_.assign(awaited_.size(), 0);
}

Status Arrivals::begin() {
  for (const std::size_t k : awaited_) {
    if (expected(k) == 0) {
      SHARDMARK_RETURN_IF_ERROR(advance(k, assembly_of(k), 0));
    }
  }
  return {};
}

bool Arrivals::writes(std::size_t region) const noexcept {
  return setting_.regions[region].writer == setting_.rank;
}

std::int64_t Arrivals::expected(std::size_t region) const {
  const Region& cut = setting_.regions[region];
  const ExchangedFile& file = setting_.files[cut.file];
  return writes(region) ? cut.bytes.num_bytes() - num_bytes(intersect(file.outside, cut.bytes))
                        : num_bytes(subtract(intersect(file.kept, cut.bytes),
                                             intersect(file.outside, cut.bytes)));
}

Arrivals::Assembly& Arrivals::assembly_of(std::size_t region) {
  const auto [place, fresh] = assemblies_.try_emplace(region);
  if (fresh) {
    place->second.missing = expected(region);
  }
  return place->second;
}

std::byte* Arrivals::take_buffer() {
  const std::lock_guard lock(mutex_);
  if (free_.empty()) {
    auto* const bytes = static_cast<std::byte*>(std::aligned_alloc(
        static_cast<std::size_t>(setting_.block), static_cast<std::size_t>(setting_.region_bytes)));
    if (bytes == nullptr) {
      return nullptr;
    }
    buffers_.emplace_back(bytes);
    free_.push_back(bytes);
  }
  std::byte* const bytes = free_.back();
  free_.pop_back();
  return bytes;
}

Status Arrivals::give_buffer(std::byte*& bytes) {
  if (bytes == nullptr) {
    bytes = take_buffer();
  }
  return bytes != nullptr
             ? Status()
             : Error{ErrorCode::no_space, fmt::format("no memory for {} bytes of a file's region",
                                                      setting_.region_bytes)};
}

std::size_t Arrivals::num_open() const {
  const std::lock_guard lock(mutex_);
  return buffers_.size() - free_.size();
}

void Arrivals::give_back(const Complete& complete) {
  if (complete.bytes != nullptr) {
    const std::lock_guard lock(mutex_);
    free_.push_back(complete.bytes);
  }
}

bool Arrivals::is_open_for(std::size_t region) const {
  // The lowest always, since all others may wait for it, and what is complete needs no room.
  if (lowest_ == awaited_.size() || region <= awaited_[lowest_] ||
      num_open() < setting_.most_open) {
    return true;
  }
  const auto known = assemblies_.find(region);
  return known != assemblies_.end() && known->second.bytes != nullptr;
}

std::vector<std::size_t> Arrivals::open_for(std::size_t count) const {
  std::vector<std::size_t> list;
  for (std::size_t i = lowest_; i < awaited_.size() && list.size() < count; ++i) {
    if (is_complete_[i] == 0 && is_open_for(awaited_[i])) {
      list.push_back(awaited_[i]);
    }
  }
  return list;
}

Status Arrivals::add(const RegionPieces& pieces, const std::byte* region_bytes) {
  const Region& region = setting_.regions[pieces.region];
  Assembly& assembly = assembly_of(pieces.region);
  if (!pieces.ranges.empty()) {
    SHARDMARK_RETURN_IF_ERROR(give_buffer(assembly.bytes));
  }
  for (const ByteRange& range : pieces.ranges) {
    const std::int64_t at = range.begin - region.bytes.begin;
    std::memcpy(assembly.bytes + at, region_bytes + at,
                static_cast<std::size_t>(range.num_bytes()));
    assembly.ranges.push_back(range);
  }
  return advance(pieces.region, assembly, pieces.own_bytes + num_bytes(pieces.ranges));
}

Status Arrivals::add(std::span<const std::byte> message) {
  const Error wrong{ErrorCode::internal, "a rank sent bytes of a region that cannot be there"};
  ByteReader in(message);
  const std::uint64_t number = in.varint();
  const auto number_of = [&](std::size_t k) { return setting_.regions[k].number; };
  const auto place = std::ranges::lower_bound(awaited_, number, {}, number_of);
  if (!in.ok() || place == awaited_.end() || number_of(*place) != number ||
      is_complete_[static_cast<std::size_t>(place - awaited_.begin())] != 0) {
    return wrong;
  }
  RegionPieces pieces;
  pieces.region = *place;
  const ByteRange bounds = setting_.regions[pieces.region].bytes;
  pieces.own_bytes = in.count(bounds.num_bytes());
  pieces.ranges.resize(in.length(2));
  std::int64_t at = bounds.begin;
  for (ByteRange& range : pieces.ranges) {
    range.begin = at + in.count(bounds.end - at);
    range.end = range.begin + in.count(bounds.end - range.begin);
    at = range.end;
  }
  const std::int64_t sum = in.ok() ? num_bytes(pieces.ranges) : 0;
  if (!in.ok() || static_cast<std::size_t>(sum) != message.size() - in.position()) {
    return wrong;
  }
  Assembly& assembly = assembly_of(pieces.region);
  if (sum > 0) {
    SHARDMARK_RETURN_IF_ERROR(give_buffer(assembly.bytes));
  }
  const std::byte* from = message.data() + in.position();
  for (const ByteRange& range : pieces.ranges) {
    const auto length = static_cast<std::size_t>(range.num_bytes());
    std::memcpy(assembly.bytes + (range.begin - bounds.begin), from, length);
    from += length;
    assembly.ranges.push_back(range);
  }
  return advance(pieces.region, assembly, pieces.own_bytes + sum);
}

Status Arrivals::advance(std::size_t region, Assembly& assembly, std::int64_t num_bytes) {
  if (num_bytes > assembly.missing) {
    return Error{
        ErrorCode::internal,
        fmt::format("bytes [{}, {}) of a file were to be filled by more than they have",
                    setting_.regions[region].bytes.begin, setting_.regions[region].bytes.end)};
  }
  assembly.missing -= num_bytes;
  return assembly.missing > 0 ? Status() : finish(region, assembly);
}

/// All elements of a region are here or somebody's own.
Status Arrivals::finish(std::size_t region, Assembly& assembly) {
  const Region& cut = setting_.regions[region];
  const ExchangedFile& file = setting_.files[cut.file];
  Complete complete;
  complete.region = region;
  complete.bytes = std::exchange(assembly.bytes, nullptr);
  const std::vector<ByteRange> placed = merged(std::move(assembly.ranges));
  const std::vector<ByteRange> kept = intersect(file.kept, cut.bytes);
  if (file.keeper == setting_.rank) {
    complete.kept = intersect(placed, kept);
  }
  if (writes(region)) {
    const std::vector<ByteRange> gaps = subtract(intersect(file.outside, cut.bytes), kept);
    const std::vector<ByteRange> mine = subtract(placed, kept);
    complete.blocks = whole_blocks(mine, setting_.block);
    const std::vector<ByteRange> empty = empty_blocks(gaps, setting_.block);
    complete.blocks.insert(complete.blocks.end(), empty.begin(), empty.end());
    complete.blocks = merged(std::move(complete.blocks));
    if (!complete.blocks.empty()) {
      SHARDMARK_RETURN_IF_ERROR(give_buffer(complete.bytes));
    }
    std::vector<ByteRange> filled = intersect(gaps, complete.blocks);
    for (const ByteRange& gap : filled) {
      std::memset(complete.bytes + (gap.begin - cut.bytes.begin), 0,
                  static_cast<std::size_t>(gap.num_bytes()));
    }
    filled.insert(filled.end(), mine.begin(), mine.end());
    if (!subtract(complete.blocks, merged(std::move(filled))).empty()) {
      return Error{ErrorCode::internal,
                   fmt::format("a block of bytes [{}, {}) of a file has come only in part",
                               cut.bytes.begin, cut.bytes.end)};
    }
  }
  assemblies_.erase(region);
  const auto place = std::lower_bound(awaited_.begin(), awaited_.end(), region);
  is_complete_[static_cast<std::size_t>(place - awaited_.begin())] = 1;
  ++num_complete_;
  while (lowest_ < awaited_.size() && is_complete_[lowest_] != 0) {
    ++lowest_;
  }
  complete_.push_back(std::move(complete));
  return {};
}

}  // namespace shardmark
