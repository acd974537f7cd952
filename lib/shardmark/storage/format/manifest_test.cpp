// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <vector>

#include "shardmark/core/checksum.hpp"
#include "shardmark/storage/format/commit_record.hpp"
#include "shardmark/storage/format/manifest.hpp"
#include "shardmark/testing/random_source.hpp"

namespace shardmark {
namespace {

using shardmark::testing::RandomSource;
using ::testing::HasSubstr;

/// Entry "a" in hdf5_chunks, the rest of "b" in separate places of a second file.
Manifest chunked_manifest() {
  Manifest manifest;
  manifest.save_id = "abcd";
  manifest.layout = FileLayout::per_rank;
  manifest.files = {entry_file_name, "data-0.h5"};
  manifest.entries.entries = {{"a", EntryKind::tensor, Dtype::float32, {4, 3}, 0, 2},
                              {"b", EntryKind::tensor, Dtype::int8, {7}, 2, 2},
                              {"step", EntryKind::object, Dtype::uint8, {8}, 4, 1}};
  for (const Box& box :
       {Box{{0, 0}, {4, 2}}, Box{{0, 2}, {4, 1}}, Box{{0}, {3}}, Box{{3}, {4}}, whole_box({8})}) {
    manifest.chunks.append(box);
  }
  manifest.locations = {{0, -1, StoredAs::hdf5_chunks, LayoutReason::strided_chunks, 0},
                        {0, -1, StoredAs::separate, LayoutReason::as_asked, 2},
                        {0, 100}};
  manifest.chunk_locations = {{0, 200}, {0, 264}, {1, 10}, {1, 13}};
  return manifest;
}

TEST(Manifest, ChunksThatLieByThemselvesRoundTrip) {
  const Manifest manifest = chunked_manifest();
  const auto bytes = encode(manifest);
  const auto again = decode_manifest(bytes);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->locations, manifest.locations);
  EXPECT_EQ(again->chunk_locations, manifest.chunk_locations);
  const StoredPiece padded = again->piece_of(0, 1);
  EXPECT_EQ(padded.address, 264);
  EXPECT_EQ(padded.offsets, (Dims{0, 2}));
  EXPECT_EQ(padded.sizes, (Dims{4, 2}));  // those of the first chunk
  const StoredPiece separate = again->piece_of(1, 3);
  EXPECT_EQ(separate.file, 1U);
  EXPECT_EQ(separate.address, 13);
  EXPECT_EQ(separate.sizes, (Dims{4}));
  const StoredPiece whole = again->piece_of(2, 4);
  EXPECT_EQ(whole.address, 100);
  EXPECT_EQ(whole.sizes, (Dims{8}));
}

TEST(Manifest, ChunksMustLieInTheirFilesAndApart) {
  const std::vector<std::int64_t> sizes = {264 + 32, 17};
  EXPECT_TRUE(check_locations(chunked_manifest(), sizes));
  EXPECT_FALSE(check_locations(chunked_manifest(), std::vector<std::int64_t>{264 + 31, 17}))
      << "the padding of an hdf5_chunk is part of the file";
  EXPECT_FALSE(check_locations(chunked_manifest(), std::vector<std::int64_t>{296, 16}));
  for (const ChunkLocation& wrong :
       {ChunkLocation{1, 12}, ChunkLocation{1, -1}, ChunkLocation{2, 10}, ChunkLocation{0, 97}}) {
    Manifest manifest = chunked_manifest();
    manifest.chunk_locations[3] = wrong;
    EXPECT_FALSE(check_locations(manifest, sizes));
  }
}

TEST(Manifest, AChunkAboveItsHdf5ChunkIsRefused) {
  Manifest manifest = chunked_manifest();
  manifest.locations[1].stored_as = StoredAs::hdf5_chunks;  // 3 elements, then 4
  EXPECT_EQ(decode_manifest(encode(manifest)).error().code, ErrorCode::data_loss);
}

Manifest some_manifest() {
  Manifest manifest;
  manifest.step = 7;
  manifest.seed = ~std::uint64_t{0};
  manifest.save_id = "abcd";
  manifest.world_size = 3;
  manifest.files = {entry_file_name};
  manifest.checksums_address = 4000;
  manifest.entries.entries = {{"a", EntryKind::tensor, Dtype::float32, {4, 2}, 0, 2},
                              {"empty", EntryKind::tensor, Dtype::int8, {0, 5}, 2, 0},
                              {"scalar", EntryKind::tensor, Dtype::float64, {}, 2, 1},
                              {"step", EntryKind::object, Dtype::uint8, {8}, 3, 1}};
  for (const Box& box : {Box{{0, 0}, {2, 2}}, Box{{2, 0}, {2, 2}}, Box{}, whole_box({8})}) {
    manifest.chunks.append(box);
  }
  manifest.locations = {{0, 512}, {0, -1}, {0, 544}, {0, 552}};
  return manifest;
}

TEST(Manifest, RoundTripsAndItsLengthDoesNotDependOnAddresses) {
  const Manifest manifest = some_manifest();
  const auto bytes = encode(manifest);
  const auto again = decode_manifest(bytes);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(encode(*again), bytes);
  EXPECT_EQ(again->step, 7);
  EXPECT_EQ(again->seed, ~std::uint64_t{0});
  EXPECT_EQ(again->world_size, 3);
  EXPECT_EQ(again->checksums_address, 4000);
  EXPECT_EQ(again->locations, manifest.locations);
  EXPECT_EQ(again->entries.num_chunks(), 4U);
  EXPECT_EQ(again->chunks.box(1, 2), (Box{{2, 0}, {2, 2}}));
  Manifest elsewhere = manifest;
  elsewhere.locations = {{0, INT64_MAX}, {0, -1}, {0, 1}, {0, std::int64_t{1} << 40}};
  EXPECT_EQ(encode(elsewhere).size(), bytes.size());
}

/// The same bytes with a hash that matches.
void sign(std::vector<std::byte>& bytes) {
  const std::uint64_t hash = xxh3(std::span(bytes).first(bytes.size() - 8));
  std::memcpy(bytes.data() + bytes.size() - 8, &hash, 8);
}

TEST(Manifest, NamesOfPublishedDtypesStandBehindAllElse) {
  Manifest manifest = some_manifest();
  const auto without = encode(manifest);
  manifest.published_dtypes = {{0, "F8_E8M0"}, {2, "C64"}};
  auto bytes = encode(manifest);
  const auto again = decode_manifest(bytes);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->published_dtypes, manifest.published_dtypes);
  EXPECT_EQ(again->published_dtype(0), "F8_E8M0");
  EXPECT_EQ(again->published_dtype(1), "");
  EXPECT_EQ(bytes.size(), without.size() + 1 + 1 + 8 + 1 + 4);
  // An object, no entry, the same one twice, none at all, no name.
  const std::size_t at = without.size() - 8;
  for (const auto& [offset, value] :
       {std::pair(1, 3), {1, 200}, {10, 0}, {0, 0}, {0, 1}, {2, 0}, {2, 200}, {3, 0xFF}}) {
    auto lies = bytes;
    lies[at + static_cast<std::size_t>(offset)] = static_cast<std::byte>(value);
    sign(lies);
    EXPECT_EQ(decode_manifest(lies).error().code, ErrorCode::data_loss) << offset << ' ' << value;
  }
}

TEST(Manifest, EveryFlippedBitAndEveryTruncationIsRefused) {
  const auto good = encode(some_manifest());
  for (std::size_t i = 0; i < good.size(); ++i) {
    const std::vector<std::byte> cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_FALSE(decode_manifest(cut));
    for (int bit = 0; bit < 8; ++bit) {
      auto bytes = good;
      bytes[i] ^= static_cast<std::byte>(1U << bit);
      ASSERT_FALSE(decode_manifest(bytes));
    }
  }
}

TEST(Manifest, ARightHashMakesNoWrongContentsRight) {
  RandomSource random;
  const std::array good = {encode(some_manifest()), encode(chunked_manifest())};
  int accepted = 0;
  for (int round = 0; round < 20'000; ++round) {
    auto bytes = good[static_cast<std::size_t>(round % 2)];
    for (std::int64_t n = 1 + random.number(3); n > 0; --n) {
      const auto at = bytes.begin() + random.number(static_cast<std::int64_t>(bytes.size()) - 8);
      if (random.one_in(4)) {
        bytes.erase(at);
      } else {
        *at = static_cast<std::byte>(random.number(random.one_in(2) ? 16 : 256));
      }
    }
    sign(bytes);
    const auto got = decode_manifest(bytes);
    if (!got) {
      ASSERT_THAT(got.error().code, ::testing::AnyOf(ErrorCode::data_loss, ErrorCode::unsupported));
      continue;
    }
    ++accepted;
    ASSERT_EQ(encode(*got), bytes);
    if (!check_locations(*got, std::vector<std::int64_t>(got->files.size(), 5000))) {
      continue;
    }
    for (std::size_t i = 0; i < got->entries.entries.size(); ++i) {
      const Entry& entry = got->entries.entries[i];
      for (std::uint64_t c = 0; c < entry.num_chunks; ++c) {
        const StoredPiece piece = got->piece_of(i, entry.first_chunk + c);
        ASSERT_GE(piece.address, 0);
        ASSERT_LE(piece.address + volume(piece.sizes) * element_size(entry.dtype), 5000);
      }
    }
  }
  EXPECT_GT(accepted, 0);  // seeds, addresses, names may be anything
}

TEST(Manifest, TheVersionBeforeIsReadAndTold) {
  auto bytes = encode(some_manifest());
  EXPECT_EQ(decode_manifest(bytes)->version, format_version);
  bytes[8] = std::byte{1};
  sign(bytes);
  const auto old = decode_manifest(bytes);
  ASSERT_TRUE(old) << old.error().message;
  EXPECT_EQ(old->version, 1U);
  EXPECT_EQ(encode(*old), bytes);
}

TEST(Manifest, AnotherVersionIsUnsupported) {
  auto bytes = encode(some_manifest());
  bytes[8] = std::byte{9};
  sign(bytes);
  EXPECT_EQ(decode_manifest(bytes).error().code, ErrorCode::unsupported);
}

TEST(Manifest, LocationsMustLieInTheirFilesAndApart) {
  const auto message_of = [](const Manifest& manifest, std::int64_t size) {
    const std::vector<std::int64_t> file_sizes = {size};
    const Status status = check_locations(manifest, file_sizes);
    return status ? std::string() : status.error().message;
  };
  const Manifest good = some_manifest();
  EXPECT_EQ(message_of(good, 4032), "");
  EXPECT_THAT(message_of(good, 4031), HasSubstr("'checksums' lies outside"));
  EXPECT_THAT(message_of(good, 100), HasSubstr("'a' lies outside"));
  const auto with = [&](std::size_t entry, EntryLocation location) {
    Manifest manifest = good;
    manifest.locations[entry] = location;
    return message_of(manifest, 5000);
  };
  EXPECT_THAT(with(0, {0, -1}), HasSubstr("'a' lies outside"));
  EXPECT_THAT(with(0, {0, INT64_MAX}), HasSubstr("'a' lies outside"));
  EXPECT_THAT(with(0, {1, 512}), HasSubstr("'a' lies outside"));
  EXPECT_THAT(with(2, {0, 543}), HasSubstr("'a' and 'scalar' share bytes"));
  EXPECT_THAT(with(3, {0, 3993}), HasSubstr("share bytes"));
  EXPECT_EQ(with(1, {0, 520}), "");  // no elements, nowhere
  const std::vector<std::int64_t> two_files = {5000, 5000};
  EXPECT_FALSE(check_locations(good, two_files));
}

}  // namespace
}  // namespace shardmark
