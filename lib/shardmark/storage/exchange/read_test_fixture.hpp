// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "shardmark/storage/exchange/region_reader.hpp"
#include "shardmark/testing/random_source.hpp"
#include "shardmark/testing/temporary_directory.hpp"
#include "shardmark/testing/thread_messages.hpp"

namespace shardmark {

using shardmark::testing::RandomSource;
using shardmark::testing::TemporaryDirectory;

inline constexpr std::int64_t read_slot_bytes = std::int64_t{64} << 10;
inline constexpr std::int64_t int32_bytes = 4;

/// What one rank asks for, and where it goes.
struct RankWishes {
  std::vector<RawTransfer<std::byte>> transfers;
  std::vector<std::uint8_t> hashed;
  std::vector<std::vector<std::byte>> memory;
  std::vector<RegionReader::Watched> watched;
  std::vector<std::uint64_t> checksums;
  std::vector<std::optional<std::uint64_t>> watched_checksums;
  ReadCounters counters;
  Status done;
};

class ReadScene {
 public:
  explicit ReadScene(int num_ranks) : wishes(static_cast<std::size_t>(num_ranks)) {}

  void add_file(RandomSource& random) {
    const std::uint64_t number = 2 * paths.size();
    std::vector<std::byte> image(static_cast<std::size_t>(1 + random.number(700'000)));
    // Any bytes do, if few are alike.
    std::uint64_t word = random.engine()();
    for (std::byte& byte : image) {
      word = word * 6364136223846793005ULL + 1442695040888963407ULL;
      byte = static_cast<std::byte>(word >> 56);
    }
    paths.push_back(directory.path() + "/" + std::to_string(number));
    std::ofstream(paths.back(), std::ios::binary)
        .write(reinterpret_cast<const char*>(image.data()),
               static_cast<std::streamsize>(image.size()));
    images.push_back(std::move(image));
    numbers.push_back(number);
  }

  /// Behind those before it: pieces of a checkpoint do not overlap.
  StoredPiece next_piece(RandomSource& random) {
    const std::size_t file = random.index(images.size());
    used.resize(images.size(), 0);
    const std::int64_t address = used[file] + random.number(5000);
    const std::int64_t room =
        (static_cast<std::int64_t>(images[file].size()) - address) / int32_bytes;
    if (room <= 0) {
      return {};
    }
    const std::int64_t rows = 1 + random.number(std::min<std::int64_t>(room, 200));
    const Dims sizes{rows, 1 + random.number(std::min<std::int64_t>(room / rows, 300))};
    used[file] = address + int32_bytes * volume(sizes);
    return {numbers[file], address, {0, 0}, sizes};
  }

  /// Each box goes to some of the ranks; the first that has it watches all of the piece.
  void wish(RandomSource& random, bool disjoint) {
    const StoredPiece piece = next_piece(random);
    if (piece.address < 0) {
      return;
    }
    bool complete = true;
    for (const Box& box : random.tiling(piece.sizes, static_cast<int>(random.number(6)))) {
      const bool skipped = random.one_in(8);
      complete = complete && !skipped;
      const std::size_t first = random.index(wishes.size());
      const std::size_t count = skipped ? 0 : disjoint ? 1 : 1 + random.index(wishes.size());
      for (std::size_t i = 0; i < count; ++i) {
        RankWishes& rank = wishes[(first + i) % wishes.size()];
        rank.memory.emplace_back(static_cast<std::size_t>(int32_bytes * box.num_elements()));
        rank.transfers.push_back(
            {piece, box, contiguous_view(rank.memory.back().data(), Dtype::int32, box.sizes)});
        rank.hashed.push_back(random.one_in(2) ? 1 : 0);
      }
    }
    wishes[random.index(wishes.size())].watched.push_back(
        {piece, whole_box(piece.sizes), Dtype::int32});
    if (complete) {
      ++complete_pieces;
    }
  }

  std::vector<std::byte> stored(const StoredPiece& piece, const Box& box) const {
    std::vector<std::byte> bytes;
    const std::vector<std::byte>& image = images[piece.file / 2];
    for_each_run(box, piece.sizes, [&](std::int64_t element, std::int64_t count) {
      const auto* from = image.data() + piece.address + int32_bytes * element;
      bytes.insert(bytes.end(), from, from + int32_bytes * count);
    });
    return bytes;
  }

  /// That want something of the region.
  std::set<int> nodes_of(const ReadRegion& region, int ranks_a_node) const {
    std::set<int> nodes;
    for (std::size_t r = 0; r < wishes.size(); ++r) {
      for (const auto& transfer : wishes[r].transfers) {
        for_each_run(
            transfer.box, transfer.piece.sizes, [&](std::int64_t element, std::int64_t count) {
              const std::int64_t begin = transfer.piece.address + int32_bytes * element;
              if (transfer.piece.file == numbers[region.file] && begin < region.bytes.end &&
                  begin + int32_bytes * count > region.bytes.begin) {
                nodes.insert(static_cast<int>(r) / ranks_a_node);
              }
            });
      }
    }
    return nodes;
  }

  /// Each node has a staging of its own; 0: all ranks are on one.
  void read(RandomSource& random, bool o_direct, std::int64_t sieve_gap, int ranks_a_node = 0) {
    std::vector<ReadRegion> regions;
    for (std::size_t f = 0; f < images.size(); ++f) {
      std::int64_t end = 0;
      for (const RankWishes& rank : wishes) {
        for (const auto& transfer : rank.transfers) {
          if (transfer.piece.file == numbers[f]) {
            end =
                std::max(end, transfer.piece.address + int32_bytes * volume(transfer.piece.sizes));
          }
        }
      }
      for (std::int64_t at = 0; at < end; at += read_slot_bytes) {
        regions.push_back({regions.size(), f, {at, std::min(at + read_slot_bytes, end)}});
      }
    }
    const int num_slots = 1 + static_cast<int>(random.number(4));
    const auto num_ranks = static_cast<int>(wishes.size());
    if (ranks_a_node == 0) {
      ranks_a_node = num_ranks;
    }
    const int num_nodes = (num_ranks + ranks_a_node - 1) / ranks_a_node;
    messages = std::make_unique<::shardmark::testing::ThreadMessages>(num_ranks);
    std::vector<std::vector<std::byte>> rooms(static_cast<std::size_t>(num_nodes));
    std::vector<SharedStaging> stagings;
    for (int node = 0; node < num_nodes; ++node) {
      const SharedStaging::Shape shape{std::min(ranks_a_node, num_ranks - node * ranks_a_node),
                                       num_slots, read_slot_bytes};
      std::vector<std::byte>& room = rooms[static_cast<std::size_t>(node)];
      room.resize(static_cast<std::size_t>(SharedStaging::num_bytes(shape)) + 4096);
      const auto begin = -reinterpret_cast<std::uintptr_t>(room.data()) % 4096;
      const std::span<std::byte> shared = std::span(room).subspan(begin);
      SharedStaging::prepare(shared, shape);
      stagings.emplace_back(shared, shape);
    }
    std::vector<std::thread> ranks;
    for (int r = 0; r < num_ranks; ++r) {
      ranks.emplace_back([&, r] {
        RankWishes& own = wishes[static_cast<std::size_t>(r)];
        std::vector<RawFile> open;
        std::vector<const RawFile*> pointers;
        open.reserve(paths.size());
        own.checksums.resize(own.transfers.size());
        own.watched_checksums.resize(own.watched.size());
        const auto box = messages->box_of(r);
        const SharedStaging& staging = stagings[static_cast<std::size_t>(r / ranks_a_node)];
        std::vector<ReadRegion> dealt;
        for (ReadRegion region : regions) {
          region.reader = static_cast<int>((3 * region.number) % wishes.size());
          const bool reads = region.reader / ranks_a_node == r / ranks_a_node;
          const std::set<int> nodes = nodes_of(region, ranks_a_node);
          region.nodes = static_cast<int>(nodes.size());
          region.here = nodes.contains(r / ranks_a_node);
          region.server = reads ? region.reader % ranks_a_node
                                : static_cast<int>(region.number) % staging.shape().num_ranks;
          if (region.here || reads) {
            dealt.push_back(region);
          }
        }
        for (std::size_t f = 0; f < paths.size(); ++f) {
          const bool reads = std::ranges::any_of(dealt, [&](const ReadRegion& region) {
            return region.file == f && region.reader == r;
          });
          if (reads) {
            open.push_back(*RawFile::open(paths[f], RawFile::Access::read, o_direct));
          }
          pointers.push_back(reads ? &open.back() : nullptr);
        }
        RegionReader reader(staging,
                            {dealt, numbers, pointers, r % ranks_a_node, 0, sieve_gap,
                             num_nodes > 1 ? box.get() : nullptr, read_slot_bytes},
                            own.counters, nullptr);
        own.done = reader.read(own.transfers, own.hashed, own.checksums, own.watched,
                               own.watched_checksums);
      });
    }
    for (std::thread& rank : ranks) {
      rank.join();
    }
  }

  void compare() const {
    for (const RankWishes& rank : wishes) {
      ASSERT_TRUE(rank.done) << rank.done.error().message;
      for (std::size_t i = 0; i < rank.transfers.size(); ++i) {
        const auto expected = stored(rank.transfers[i].piece, rank.transfers[i].box);
        EXPECT_TRUE(rank.memory[i] == expected) << i;
        if (rank.hashed[i] != 0) {
          EXPECT_EQ(rank.checksums[i], xxh3(std::span<const std::byte>(expected)));
        }
      }
      for (std::size_t i = 0; i < rank.watched.size(); ++i) {
        if (rank.watched_checksums[i]) {
          EXPECT_EQ(
              *rank.watched_checksums[i],
              xxh3(std::span<const std::byte>(stored(rank.watched[i].piece, rank.watched[i].box))));
        }
      }
    }
  }

  std::int64_t sum_of(std::int64_t ReadCounters::*member) const {
    std::int64_t sum = 0;
    for (const RankWishes& rank : wishes) {
      sum += rank.counters.*member;
    }
    return sum;
  }
  std::int64_t num_hashed() const {
    std::int64_t count = 0;
    for (const RankWishes& rank : wishes) {
      count += std::count_if(rank.watched_checksums.begin(), rank.watched_checksums.end(),
                             [](const auto& checksum) { return checksum.has_value(); });
    }
    return count;
  }

  TemporaryDirectory directory;
  std::vector<std::string> paths;
  std::vector<std::uint64_t> numbers;
  std::vector<std::vector<std::byte>> images;
  std::vector<RankWishes> wishes;  // by rank
  std::vector<std::int64_t> used;  // by file
  std::int64_t complete_pieces = 0;
  std::unique_ptr<::shardmark::testing::ThreadMessages> messages;  // of the last read()
};

}  // namespace shardmark
