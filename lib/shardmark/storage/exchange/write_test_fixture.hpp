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
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "shardmark/storage/exchange/node_share.hpp"
#include "shardmark/storage/exchange/region_writer.hpp"
#include "shardmark/storage/posix/file.hpp"
#include "shardmark/testing/random_source.hpp"
#include "shardmark/testing/temporary_directory.hpp"
#include "shardmark/testing/thread_messages.hpp"

namespace shardmark {

using shardmark::testing::RandomSource;
using shardmark::testing::TemporaryDirectory;

inline constexpr std::byte untouched{0xEE};
inline constexpr std::int64_t write_slot_bytes = std::int64_t{64} << 10;

inline std::vector<std::byte> bytes_of_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const auto* data = reinterpret_cast<const std::byte*>(text.data());
  return {data, data + text.size()};
}

/// Files of tensors with gaps between them and some bytes of their maker, cut among ranks at
/// random.
struct WriteScene {
  TemporaryDirectory directory;
  std::vector<std::string> paths;
  std::vector<ExchangedFile> files;
  std::vector<std::vector<std::byte>> images;                        // what the files should hold
  std::vector<std::vector<RawTransfer<const std::byte>>> transfers;  // by rank
  std::vector<std::vector<std::uint64_t>> expected;                  // checksums, likewise
  std::vector<std::vector<std::byte>> memory;

  explicit WriteScene(int num_ranks)
      : transfers(static_cast<std::size_t>(num_ranks)),
        expected(static_cast<std::size_t>(num_ranks)) {}

  void add_file(RandomSource& random, std::uint64_t number) {
    std::int64_t at = random.number(9000);
    std::vector<ByteRange> elements;
    std::vector<ByteRange> foreign = {{0, at / 2}};
    std::vector<std::byte> image;
    for (std::int64_t left = 1 + random.number(5); left > 0; --left) {
      const Dims sizes{1 + random.number(300), 1 + random.number(600)};
      const StoredPiece piece{number, at, {0, 0}, sizes};
      elements.push_back({at, at + 4 * volume(sizes)});
      at = elements.back().end;
      image.resize(static_cast<std::size_t>(at), std::byte{0});
      for (const Box& box : random.tiling(sizes, static_cast<int>(random.number(7)))) {
        add_box(random, piece, box, image);
      }
      if (const std::int64_t gap = random.one_in(2) ? 0 : random.number(20000); gap > 0) {
        if (random.one_in(2)) {
          foreign.push_back({at + gap / 3, at + gap / 2});
        }
        at += gap;
      }
    }
    image.resize(static_cast<std::size_t>(at + (random.one_in(2) ? 0 : random.number(5000))));
    const auto size = static_cast<std::int64_t>(image.size());
    files.push_back(make_exchanged_file(number, size, keeper_of(random, number), elements, foreign,
                                        write_block));
    // The bytes that nobody of the exchange writes.
    const std::vector<std::byte> all(image.size(), untouched);
    std::vector<ByteRange> left_alone = subtract(files.back().kept, elements);
    left_alone.push_back({files.back().num_bytes, size});
    for (const ByteRange& range : left_alone) {
      std::fill(image.begin() + range.begin, image.begin() + range.end, untouched);
    }
    paths.push_back(directory.path() + "/" + std::to_string(number));
    std::ofstream(paths.back(), std::ios::binary)
        .write(reinterpret_cast<const char*>(all.data()), static_cast<std::streamsize>(size));
    images.push_back(std::move(image));
  }

  int keeper_of(RandomSource& random, std::uint64_t file) const {
    const auto own = std::ranges::find(file_of_rank, static_cast<std::int64_t>(file));
    if (file != 0 && own != file_of_rank.end()) {
      return static_cast<int>(own - file_of_rank.begin());
    }
    return random.one_in(2) ? 0 : last_rank();
  }

  int last_rank() const { return static_cast<int>(transfers.size()) - 1; }

  void add_box(RandomSource& random, const StoredPiece& piece, const Box& box,
               std::vector<std::byte>& image) {
    std::vector<std::byte> own(static_cast<std::size_t>(4 * box.num_elements()) + 4096);
    // Any bytes do, if few are alike.
    std::uint64_t word = random.engine()();
    for (std::byte& byte : own) {
      word = word * 6364136223846793005ULL + 1442695040888963407ULL;
      byte = static_cast<std::byte>(word >> 56);
    }
    // Memory that agrees with the file, or not.
    auto begin = static_cast<std::size_t>(-reinterpret_cast<std::uintptr_t>(own.data()) % 4096);
    begin = random.one_in(2) ? 0 : (begin + static_cast<std::size_t>(piece.address)) % 4096;
    const ConstTensorView view =
        contiguous_view<const std::byte>(own.data() + begin, Dtype::int32, box.sizes);
    const std::byte* from = view.data;
    for_each_run(box, piece.sizes, [&](std::int64_t element, std::int64_t count) {
      std::memcpy(image.data() + piece.address + 4 * element, from,
                  static_cast<std::size_t>(4 * count));
      from += 4 * count;
    });
    std::size_t rank = random.index(transfers.size());
    while (!dealing().writes_to(rank, piece.file)) {
      rank = random.index(transfers.size());
    }
    transfers[rank].push_back({piece, box, view});
    expected[rank].push_back(xxh3(view));
    memory.push_back(std::move(own));
  }

  /// All ranks share one staging.
  void write_and_compare(RandomSource& random, bool o_direct) {
    const SharedStaging::Shape shape{last_rank() + 1, 1 + static_cast<int>(random.number(4)),
                                     write_slot_bytes, false, write_block};
    const std::vector<Region> regions = cut_into_regions(files, shape.slot_bytes, shape.num_ranks);
    std::vector<std::byte> room(static_cast<std::size_t>(SharedStaging::num_bytes(shape)) + 4096);
    const auto begin = -reinterpret_cast<std::uintptr_t>(room.data()) % 4096;
    const std::span<std::byte> shared = std::span(room).subspan(begin);
    SharedStaging::prepare(shared, shape);
    std::vector<std::thread> ranks;
    std::vector<Status> done(transfers.size());
    for (int rank = 0; rank <= last_rank(); ++rank) {
      ranks.emplace_back([&, rank] {
        done[static_cast<std::size_t>(rank)] =
            write_rank(rank, SharedStaging(shared, shape), {files, {}, regions, rank, 0}, o_direct);
      });
    }
    join_and_compare(ranks, done);
  }

  /// One rank's part, with files opened by itself; checks its checksums unless it fails.
  Status write_rank(int rank, const SharedStaging& staging, RegionWriter::Setting setting,
                    bool o_direct, WriteCounters* counted = nullptr) {
    const auto r = static_cast<std::size_t>(rank);
    std::vector<RawFile> open;
    std::vector<const RawFile*> pointers;
    open.reserve(paths.size());
    for (const ExchangedFile& file : setting.files) {
      const bool fails = rank == failing_rank;
      open.push_back(*RawFile::open(directory.path() + "/" + std::to_string(file.file),
                                    fails ? RawFile::Access::read : RawFile::Access::write,
                                    o_direct));
      pointers.push_back(&open.back());
    }
    setting.open_files = pointers;
    WriteCounters own;
    RegionWriter writer(staging, setting, own, nullptr);
    std::vector<std::uint64_t> checksums(transfers[r].size());
    Status status = writer.write(transfers[r], checksums);
    if (failing_rank < 0) {
      EXPECT_EQ(checksums, expected[r]);
    }
    if (counted != nullptr) {
      *counted = own;
    }
    return status;
  }

  /// Each node has a staging of its own: ranks [n * ranks_a_node, ...) are node n's.
  std::vector<Status> write_on_nodes(RandomSource& random, int ranks_a_node,
                                     std::int64_t least_own_bytes, bool o_direct) {
    const int num_ranks = last_rank() + 1;
    node_of_rank.clear();
    for (int rank = 0; rank < num_ranks; ++rank) {
      node_of_rank.push_back(rank / ranks_a_node);
    }
    std::vector<std::vector<std::byte>> rooms(static_cast<std::size_t>(node_of_rank.back() + 1));
    const int num_slots = 1 + static_cast<int>(random.number(4));
    writers = static_cast<int>(random.number(3));
    counters.assign(transfers.size(), {});
    messages = std::make_unique<::shardmark::testing::ThreadMessages>(num_ranks);
    std::vector<std::optional<SharedStaging>> stagings;
    for (std::size_t node = 0; node < rooms.size(); ++node) {
      const SharedStaging::Shape shape{
          static_cast<int>(std::count(node_of_rank.begin(), node_of_rank.end(), node)), num_slots,
          write_slot_bytes, true, write_block};
      rooms[node].resize(static_cast<std::size_t>(SharedStaging::num_bytes(shape)) + 4096);
      const auto begin = -reinterpret_cast<std::uintptr_t>(rooms[node].data()) % 4096;
      const std::span<std::byte> shared = std::span(rooms[node]).subspan(begin);
      SharedStaging::prepare(shared, shape);
      stagings.emplace_back(SharedStaging(shared, shape));
    }
    std::vector<std::thread> ranks;
    std::vector<Status> done(transfers.size());
    for (int rank = 0; rank < num_ranks; ++rank) {
      ranks.emplace_back([&, rank] {
        const auto r = static_cast<std::size_t>(rank);
        const auto box = messages->box_of(rank);
        const NodeShare share = share_of_node(files, striping, write_slot_bytes, dealing(), rank);
        done[r] = write_rank(rank, *stagings[static_cast<std::size_t>(node_of_rank[r])],
                             {share.files,
                              {},
                              share.regions,
                              rank % ranks_a_node,
                              0,
                              box.get(),
                              least_own_bytes,
                              budget},
                             o_direct, &counters[r]);
      });
    }
    if (failing_rank < 0) {
      join_and_compare(ranks, done);
    } else {
      join(ranks);
    }
    return done;
  }

  static void join(std::vector<std::thread>& ranks) {
    for (std::thread& rank : ranks) {
      rank.join();
    }
  }

  void join_and_compare(std::vector<std::thread>& ranks, const std::vector<Status>& done) {
    join(ranks);
    for (const Status& status : done) {
      EXPECT_TRUE(status) << status.error().message;
    }
    for (std::size_t f = 0; f < paths.size(); ++f) {
      EXPECT_TRUE(bytes_of_file(paths[f]) == images[f]) << "file " << f;
    }
  }

  Dealing dealing() const { return {node_of_rank, file_of_rank, writers, objects_apart}; }

  int failing_rank = -1;
  std::int64_t write_block = SharedStaging::block_bytes;
  Striping striping = {};  // of the files
  bool objects_apart = false;
  std::vector<std::int64_t> file_of_rank;  // empty: all write to all files
  std::vector<int> node_of_rank;           // of the last write_on_nodes()
  int writers = 0;                         // likewise, of a node
  std::int64_t budget = 2 * write_slot_bytes;
  std::unique_ptr<::shardmark::testing::ThreadMessages> messages;  // of the last write_on_nodes()
  std::vector<WriteCounters> counters;                             // likewise, by rank
};

}  // namespace shardmark
