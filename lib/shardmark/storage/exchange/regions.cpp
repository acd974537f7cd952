// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/exchange/regions.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "shardmark/plan/tables/byte_codec.hpp"

namespace shardmark {
namespace {

constexpr std::int64_t min_region_bytes = std::int64_t{4} << 20;
constexpr std::int64_t plain_region_bytes = std::int64_t{16} << 20;

void put(ByteWriter& out, std::span<const ByteRange> ranges) {
  out.varint(ranges.size());
  std::int64_t at = 0;
  for (const ByteRange& range : ranges) {
    out.varint(static_cast<std::uint64_t>(range.begin - at));
    out.varint(static_cast<std::uint64_t>(range.num_bytes()));
    at = range.end;
  }
}

std::vector<ByteRange> take_ranges(ByteReader& in, std::int64_t limit) {
  std::vector<ByteRange> ranges(in.length(2));
  std::int64_t at = 0;
  for (ByteRange& range : ranges) {
    range.begin = at + in.count(limit - at);
    range.end = range.begin + in.count(limit - range.begin);
    at = range.end;
    if (!in.ok()) {
      break;
    }
  }
  return ranges;
}

}  // namespace

std::vector<ByteRange> subtract(std::span<const ByteRange> ranges,
                                std::span<const ByteRange> without) {
  std::vector<ByteRange> left;
  auto hole = without.begin();
  for (ByteRange range : ranges) {
    while (hole != without.end() && hole->end <= range.begin) {
      ++hole;
    }
    for (auto cut = hole; cut != without.end() && cut->begin < range.end; ++cut) {
      if (range.begin < cut->begin) {
        left.push_back({range.begin, cut->begin});
      }
      range.begin = std::max(range.begin, cut->end);
    }
    if (!range.empty()) {
      left.push_back(range);
    }
  }
  return left;
}

std::vector<ByteRange> intersect(std::span<const ByteRange> ranges, ByteRange with) {
  std::vector<ByteRange> both;
  auto range = std::upper_bound(ranges.begin(), ranges.end(), with.begin,
                                [](std::int64_t at, const ByteRange& r) { return at < r.end; });
  for (; range != ranges.end() && range->begin < with.end; ++range) {
    both.push_back({std::max(range->begin, with.begin), std::min(range->end, with.end)});
  }
  return both;
}

std::vector<ByteRange> merged(std::vector<ByteRange> ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const ByteRange& a, const ByteRange& b) { return a.begin < b.begin; });
  std::vector<ByteRange> list;
  for (const ByteRange& range : ranges) {
    if (range.empty()) {
      continue;
    }
    if (!list.empty() && range.begin <= list.back().end) {
      list.back().end = std::max(list.back().end, range.end);
    } else {
      list.push_back(range);
    }
  }
  return list;
}

std::vector<ByteRange> whole_blocks(std::span<const ByteRange> ranges, std::int64_t block) {
  std::vector<ByteRange> whole(ranges.begin(), ranges.end());
  for (ByteRange& range : whole) {
    range = {range.begin / block * block, (range.end + block - 1) / block * block};
  }
  return merged(std::move(whole));
}

std::int64_t region_bytes_for(std::int64_t stripe_bytes) noexcept {
  if (stripe_bytes <= 0) {
    return plain_region_bytes;
  }
  return (min_region_bytes + stripe_bytes - 1) / stripe_bytes * stripe_bytes;
}

ExchangedFile make_exchanged_file(std::uint64_t file, std::int64_t file_bytes, int keeper,
                                  std::vector<ByteRange> elements, std::vector<ByteRange> foreign,
                                  std::int64_t block) {
  const std::vector<ByteRange> filled = merged(std::move(elements));
  ExchangedFile exchanged;
  exchanged.file = file;
  exchanged.keeper = keeper;
  const std::int64_t end = filled.empty() ? 0 : filled.back().end;
  exchanged.num_bytes = std::min((end + block - 1) / block * block, file_bytes);
  const ByteRange all{0, exchanged.num_bytes};
  exchanged.outside = subtract({&all, 1}, filled);
  // Whole blocks go past the cache, and would make the file grow.
  foreign.push_back({file_bytes / block * block, file_bytes});
  exchanged.kept = intersect(whole_blocks(merged(std::move(foreign)), block), all);
  return exchanged;
}

std::vector<std::byte> encode(std::span<const ExchangedFile> files) {
  ByteWriter out;
  out.varint(files.size());
  for (const ExchangedFile& file : files) {
    out.varint(file.file);
    out.fixed64(static_cast<std::uint64_t>(file.num_bytes));
    out.varint(static_cast<std::uint64_t>(file.keeper));
    put(out, file.outside);
    put(out, file.kept);
  }
  return std::move(out).take();
}

Result<std::vector<ExchangedFile>> decode_exchanged_files(std::span<const std::byte> bytes,
                                                          int num_ranks) {
  ByteReader in(bytes);
  std::vector<ExchangedFile> files(in.length(12));
  for (ExchangedFile& file : files) {
    file.file = in.varint();
    const std::uint64_t num_bytes = in.fixed64();
    if (num_bytes > static_cast<std::uint64_t>(INT64_MAX)) {
      return Error{ErrorCode::data_loss, "list of exchanged files: a length beyond 2^63"};
    }
    file.num_bytes = static_cast<std::int64_t>(num_bytes);
    file.keeper = static_cast<int>(in.count(num_ranks - 1));
    file.outside = take_ranges(in, file.num_bytes);
    file.kept = take_ranges(in, file.num_bytes);
    if (!in.ok()) {
      break;
    }
  }
  SHARDMARK_RETURN_IF_ERROR(in.status("list of exchanged files"));
  return files;
}

std::vector<std::size_t> first_regions(std::span<const ExchangedFile> files,
                                       std::int64_t region_bytes) {
  std::vector<std::size_t> first;
  std::size_t next = 0;
  for (const ExchangedFile& file : files) {
    first.push_back(next);
    next += static_cast<std::size_t>((file.num_bytes + region_bytes - 1) / region_bytes);
  }
  return first;
}

std::vector<Region> cut_into_regions(std::span<const ExchangedFile> files,
                                     std::int64_t region_bytes, int num_writers) {
  return cut_into_regions(files, first_regions(files, region_bytes), region_bytes, num_writers);
}

std::vector<Region> cut_into_regions(std::span<const ExchangedFile> files,
                                     std::span<const std::size_t> first, std::int64_t region_bytes,
                                     int num_writers) {
  std::vector<Region> regions;
  for (std::size_t f = 0; f < files.size(); ++f) {
    const std::vector<ByteRange> kept_elements = files[f].kept_elements();
    std::size_t number = first[f];
    for (std::int64_t at = 0; at < files[f].num_bytes; at += region_bytes) {
      Region region;
      region.number = number++;
      region.file = f;
      region.bytes = {at, std::min(at + region_bytes, files[f].num_bytes)};
      region.turn = region.number;
      region.writer = static_cast<int>(region.turn % static_cast<std::size_t>(num_writers));
      region.server = region.writer;
      region.has_kept = !intersect(kept_elements, region.bytes).empty();
      regions.push_back(region);
    }
  }
  return regions;
}

std::int64_t num_bytes(std::span<const ByteRange> ranges) noexcept {
  std::int64_t sum = 0;
  for (const ByteRange& range : ranges) {
    sum += range.num_bytes();
  }
  return sum;
}

std::vector<ByteRange> intersect(std::span<const ByteRange> a, std::span<const ByteRange> b) {
  return subtract(a, subtract(a, b));
}

void deal_to_nodes(std::span<Region> regions, std::span<const ExchangedFile> files,
                   const Dealing& dealing, int rank) {
  const auto node_of = [&](std::size_t r) { return dealing.node_of_rank[r]; };
  const int own_node = node_of(static_cast<std::size_t>(rank));
  std::vector<int> place(dealing.node_of_rank.size());  // of each rank on its node
  std::map<int, int> size_of;                           // nodes
  for (std::size_t r = 0; r < place.size(); ++r) {
    place[r] = size_of[node_of(r)]++;
  }
  std::vector<std::vector<int>> ranks;  // of one file, by node
  for (std::size_t k = 0; k < regions.size(); ++k) {
    Region& region = regions[k];
    if (k == 0 || region.file != regions[k - 1].file) {
      std::map<int, std::vector<int>> of_node;
      for (std::size_t r = 0; r < place.size(); ++r) {
        std::vector<int>& list = of_node[node_of(r)];
        if (dealing.writes_to(r, files[region.file].file) &&
            (dealing.writers_a_node == 0 ||
             list.size() < static_cast<std::size_t>(dealing.writers_a_node))) {
          list.push_back(static_cast<int>(r));
        }
      }
      ranks.clear();
      for (auto& [node, list] : of_node) {
        if (!list.empty()) {
          ranks.push_back(std::move(list));
        }
      }
    }
    const std::vector<int>& node = ranks[region.turn % ranks.size()];
    region.writer = node[region.turn / ranks.size() % node.size()];
    const auto writer = static_cast<std::size_t>(region.writer);
    region.server =
        node_of(writer) == own_node
            ? place[writer]
            : static_cast<int>(region.number % static_cast<std::size_t>(size_of[own_node]));
    region.travels = dealing.objects_apart && region.striped && node_of(writer) != own_node;
  }
}

DealtBytes deal_bytes(const ExchangedFile& file, const Region& region,
                      std::span<const ByteRange> placed, std::span<const ByteRange> straight,
                      std::int64_t least_own_bytes, std::int64_t block) {
  const std::vector<ByteRange> kept = intersect(file.kept, region.bytes);
  const std::vector<ByteRange> gaps = subtract(intersect(file.outside, region.bytes), kept);
  // Gaps count as filled: whoever has all elements of a block writes its zeros too.
  std::vector<ByteRange> filled(placed.begin(), placed.end());
  filled.insert(filled.end(), straight.begin(), straight.end());
  std::vector<ByteRange> touched = whole_blocks(merged(filled), block);
  filled.insert(filled.end(), gaps.begin(), gaps.end());
  DealtBytes dealt;
  for (const ByteRange& range : merged(std::move(filled))) {
    const ByteRange whole{(range.begin + block - 1) / block * block, range.end / block * block};
    if (!whole.empty()) {
      dealt.own.push_back(whole);
    }
  }
  dealt.own = intersect(subtract(dealt.own, kept), touched);
  std::erase_if(dealt.own, [&](const ByteRange& range) {
    return region.travels || range.num_bytes() < least_own_bytes;
  });
  const std::vector<ByteRange> rest = subtract(placed, dealt.own);
  dealt.own = subtract(dealt.own, straight);
  dealt.own_bytes = num_bytes(straight) + num_bytes(placed) - num_bytes(rest);
  if (file.keeper == region.writer) {
    dealt.to_writer = rest;
    return dealt;
  }
  dealt.to_keeper = intersect(rest, kept);
  dealt.to_writer = subtract(rest, kept);
  dealt.own_bytes += num_bytes(dealt.to_keeper);
  return dealt;
}

}  // namespace shardmark
