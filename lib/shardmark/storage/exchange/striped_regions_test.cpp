// SPDX-License-Identifier: Apache-2.0
// Regions of striped files by arithmetic, against an account of every stripe's object.
#include "shardmark/storage/exchange/striped_regions.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <utility>

#include "shardmark/storage/exchange/shared_staging.hpp"
#include "shardmark/testing/random_source.hpp"

namespace shardmark {
namespace {

using shardmark::testing::RandomSource;
using ::testing::ElementsAre;

constexpr std::int64_t kib = 1 << 10;
constexpr std::int64_t mib = 1 << 20;

std::int64_t bytes_of(std::int64_t stripe, std::int64_t count, std::int64_t most, int writers) {
  return striped_region_bytes({0, INT64_MAX, stripe, count}, most, writers);
}

TEST(StripedRegions, AreWholeStripesOrEvenPartsOfOne) {
  EXPECT_EQ(bytes_of(0, 0, 16 * mib, 4), 16 * mib);
  // As region_bytes_for() says, where all writers have an object.
  EXPECT_EQ(bytes_of(mib, 16, 4 * mib, 4), 4 * mib);
  EXPECT_EQ(bytes_of(mib, 0, 4 * mib, 4), 4 * mib);
  EXPECT_EQ(bytes_of(3 * mib, 8, 6 * mib, 4), 6 * mib);
  EXPECT_EQ(bytes_of(64 * mib, 4, 64 * mib, 4), 64 * mib);
  // One object has one writer, however large the regions.
  EXPECT_EQ(bytes_of(mib, 1, 4 * mib, 8), 4 * mib);
  // Four stripes of eight leave two writers something to do, two stripes all four.
  EXPECT_EQ(bytes_of(mib, 8, 4 * mib, 2), 4 * mib);
  EXPECT_EQ(bytes_of(mib, 8, 4 * mib, 4), 2 * mib);
  EXPECT_EQ(bytes_of(mib, 8, 4 * mib, 64), mib);
  EXPECT_EQ(bytes_of(mib, 7, 4 * mib, 4), mib);
  EXPECT_EQ(bytes_of(mib, 6, 4 * mib, 2), 3 * mib);
  // Never below 1 MiB for that.
  EXPECT_EQ(bytes_of(64 * kib, 32, 4 * mib, 8), mib);
  EXPECT_EQ(bytes_of(64 * kib, 3, 4 * mib, 3), 4 * mib);
  // Files that are small, or memory that is short.
  EXPECT_EQ(bytes_of(4 * mib, 4, mib, 4), mib);
  EXPECT_EQ(bytes_of(3 * mib, 4, 2 * mib, 4), 3 * mib / 2);
  EXPECT_EQ(bytes_of(mib + 64 * kib, 4, mib, 4), 64 * kib);
}

TEST(StripedRegions, AlwaysFitTheStaging) {
  RandomSource random;
  for (int round = 0; round < 5000; ++round) {
    const std::int64_t stripe = stripe_unit_bytes * (1 + random.number(1000));
    const std::int64_t most = mib * (1 + random.number(64));
    const std::int64_t bytes =
        bytes_of(stripe, random.number(70), most, 1 + static_cast<int>(random.number(20)));
    EXPECT_GT(bytes, 0);
    EXPECT_LE(bytes, most);
    EXPECT_EQ(bytes % (SharedStaging::num_granules * SharedStaging::block_bytes), 0);
    EXPECT_TRUE(bytes % stripe == 0 || stripe % bytes == 0) << stripe << ' ' << bytes;
  }
}

/// Component and object of every stripe unit of a region.
std::set<std::pair<std::size_t, std::int64_t>> objects_of(const Striping& striping,
                                                          ByteRange bytes) {
  std::set<std::pair<std::size_t, std::int64_t>> objects;
  for (std::int64_t at = bytes.begin; at < bytes.end; at += stripe_unit_bytes) {
    for (std::size_t c = 0; c < striping.components.size(); ++c) {
      const StripeComponent& component = striping.components[c];
      if (at >= component.begin && at < component.end && component.stripe_count > 0) {
        objects.emplace(c, at / component.stripe_bytes % component.stripe_count);
      }
    }
  }
  return objects;
}

Striping draw_striping(RandomSource& random) {
  Striping striping;
  std::int64_t at = stripe_unit_bytes * random.number(8);
  for (std::int64_t left = 1 + random.number(3); left > 0; --left) {
    const std::int64_t end =
        left == 1 ? INT64_MAX : at + stripe_unit_bytes * (1 + random.number(40));
    striping.components.push_back(
        {at, end, stripe_unit_bytes * (1 + random.number(6)), random.number(7) - 1});
    at = end;
  }
  return striping;
}

TEST(StripedRegions, EveryObjectHasOneWriterAndOthersWriteBesideIt) {
  RandomSource random;
  for (int round = 0; round < 500; ++round) {
    const Striping striping = draw_striping(random);
    std::vector<ExchangedFile> files;
    for (std::uint64_t f = 0; f < 2; ++f) {
      const std::int64_t size = stripe_unit_bytes * (1 + random.number(100));
      files.push_back(make_exchanged_file(f, size, 0, {{0, size}}, {}, 4096));
    }
    const int num_writers = 1 + static_cast<int>(random.number(5));
    auto regions = cut_into_regions(files, stripe_unit_bytes * (1 + random.number(9)), num_writers);
    deal_by_objects(regions, striping, num_writers);
    std::map<std::pair<std::size_t, std::pair<std::size_t, std::int64_t>>, std::size_t> turn_of;
    // Joined by brute force: regions of one turn are reached from each other over objects.
    std::map<std::size_t, std::vector<std::size_t>> of_turn;
    for (std::size_t k = 0; k < regions.size(); ++k) {
      const auto objects = objects_of(striping, regions[k].bytes);
      EXPECT_EQ(regions[k].striped, !objects.empty());
      EXPECT_EQ(regions[k].writer, static_cast<int>(regions[k].turn) % num_writers);
      EXPECT_EQ(regions[k].server, regions[k].writer);
      for (const auto& object : objects) {
        const auto [found, is_new] =
            turn_of.try_emplace({regions[k].file, object}, regions[k].turn);
        EXPECT_EQ(found->second, regions[k].turn) << "an object with two writers";
      }
      of_turn[regions[k].turn].push_back(k);
    }
    for (const auto& [turn, members] : of_turn) {
      const bool is_first = regions[members.front()].number == turn;
      EXPECT_TRUE(is_first || of_turn.contains(turn - 1)) << "a turn of no region";
      std::set<std::size_t> reached = {members.front()};
      auto have = objects_of(striping, regions[members.front()].bytes);
      for (std::size_t before = 0; before != reached.size();) {
        before = reached.size();
        for (const std::size_t k : members) {
          const auto objects = objects_of(striping, regions[k].bytes);
          if (std::ranges::any_of(objects, [&](const auto& o) { return have.contains(o); })) {
            reached.insert(k);
            have.insert(objects.begin(), objects.end());
          }
        }
      }
      EXPECT_EQ(reached.size(), members.size()) << "regions are joined for nothing";
    }
  }
}

// What nodes write of striped files themselves, where objects are to be apart.
TEST(StripedRegions, NoNodeWritesIntoAnotherOnesObject) {
  RandomSource random;
  const std::vector<int> node_of_rank = {0, 0, 1, 1, 2};
  for (int round = 0; round < 200; ++round) {
    const Striping striping = draw_striping(random);
    const std::int64_t size = stripe_unit_bytes * (20 + random.number(100));
    const std::vector<ExchangedFile> files = {
        make_exchanged_file(0, size, 0, {{0, size}}, {{0, 5000}}, 4096)};
    const std::int64_t region_bytes = stripe_unit_bytes * (1 + random.number(5));
    std::map<std::pair<std::size_t, std::int64_t>, std::set<int>> nodes;
    bool any_own = false;
    for (const int rank : {0, 2, 4}) {
      auto regions = cut_into_regions(files, region_bytes, 1);
      deal_by_objects(regions, striping, 1);
      deal_to_nodes(regions, files, {node_of_rank, {}, 0, true}, rank);
      for (const Region& region : regions) {
        const auto dealt = deal_bytes(files[0], region, {&region.bytes, 1}, {}, 4096, 4096);
        const int writer = node_of_rank[static_cast<std::size_t>(region.writer)];
        const int own = node_of_rank[static_cast<std::size_t>(rank)];
        any_own = any_own || (!dealt.own.empty() && writer != own);
        for (const ByteRange& range : dealt.own) {
          for (const auto& object : objects_of(striping, range)) {
            nodes[object].insert(own);
          }
        }
        for (const auto& object : objects_of(striping, region.bytes)) {
          nodes[object].insert(writer);
        }
      }
    }
    for (const auto& [object, writers] : nodes) {
      EXPECT_EQ(writers.size(), 1U) << object.first << ':' << object.second;
    }
    // Where nobody knows objects, nodes write what they fill.
    EXPECT_EQ(any_own,
              std::ranges::any_of(cut_into_regions(files, region_bytes, 1),
                                  [&](auto& r) { return objects_of(striping, r.bytes).empty(); }) &&
                  size > region_bytes);
  }
}

TEST(StripedRegions, StripingTravelsAndLiesAreRefused) {
  RandomSource random;
  for (int round = 0; round < 500; ++round) {
    const Striping striping = draw_striping(random);
    ByteWriter out;
    put_striping(out, striping);
    std::vector<std::byte> bytes = std::move(out).take();
    ByteReader in(bytes);
    EXPECT_EQ(take_striping(in), striping);
    EXPECT_TRUE(in.ok() && in.at_end());
    bytes[random.index(bytes.size())] = static_cast<std::byte>(random.number(256));
    ByteReader lies(bytes);
    std::int64_t at = 0;
    for (const StripeComponent& component : take_striping(lies).components) {
      EXPECT_TRUE(at <= component.begin && component.begin < component.end);
      EXPECT_EQ(component.stripe_bytes % stripe_unit_bytes, 0);
      EXPECT_LE(component.stripe_count, UINT16_MAX);
      at = component.end;
    }
  }
}

}  // namespace
}  // namespace shardmark
