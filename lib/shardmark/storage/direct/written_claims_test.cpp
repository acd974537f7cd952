// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "shardmark/core/checksum.hpp"
#include "shardmark/storage/direct/written_claims.hpp"
#include "shardmark/testing/file_contents.hpp"
#include "shardmark/testing/random_source.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

using shardmark::testing::make_file;
using shardmark::testing::RandomSource;
using shardmark::testing::TemporaryDirectory;
using ::testing::HasSubstr;

/// Columns 2 to 4 of rows 1 and 2 of an 8 x 8 tensor of bytes at 1000, and 100 bytes at 5000.
std::vector<WrittenClaim> two_claims(std::span<const std::byte> bytes) {
  std::vector<std::byte> elements;
  for (const std::size_t at : {1010U, 1011U, 1012U, 1018U, 1019U, 1020U}) {
    elements.push_back(bytes[at]);
  }
  return {{{0, 1000, {0, 0}, {8, 8}}, {{1, 2}, {2, 3}}, 1, xxh3(elements), "'a'"},
          claim_of_bytes(0, 5000, 100, xxh3(bytes.subspan(5000, 100)), "'b'")};
}

TEST(WrittenClaims, WhatIsThereIsFoundAndWhatIsNotIsNamed) {
  RandomSource random;
  const TemporaryDirectory directory;
  const auto bytes = random.bytes(8192);
  const std::vector<WrittenClaim> claims = two_claims(bytes);
  const std::vector<std::string> paths = {make_file(directory, bytes)};
  for (const ReadFrom from : {ReadFrom::cache, ReadFrom::storage}) {
    EXPECT_TRUE(check_claims(claims, paths, from));
    for (const auto& [at, name] : {std::pair(1010U, "'a'"), std::pair(1020U, "'a'"),
                                   std::pair(5000U, "'b'"), std::pair(5099U, "'b'")}) {
      auto changed = bytes;
      changed[at] ^= std::byte{1};
      make_file(directory, changed);
      const Status found = check_claims(claims, paths, from);
      ASSERT_FALSE(found) << at;
      EXPECT_EQ(found.error().code, ErrorCode::io_error);
      EXPECT_THAT(found.error().message, HasSubstr(name));
      EXPECT_THAT(found.error().message, HasSubstr(paths.front()));
    }
    for (const std::size_t beside : {1009U, 1013U, 1017U, 1021U, 4999U, 5100U}) {
      auto changed = bytes;
      changed[beside] ^= std::byte{1};
      make_file(directory, changed);
      EXPECT_TRUE(check_claims(claims, paths, from)) << beside;
    }
    make_file(directory, bytes);
  }
}

TEST(WrittenClaims, ComeThroughAMessage) {
  const std::vector<std::byte> bytes(8192, std::byte{5});
  const std::vector<WrittenClaim> claims = two_claims(bytes);
  const std::vector<std::byte> message = encode(claims);
  const auto again = decode_claims(message);
  ASSERT_TRUE(again) << again.error().message;
  ASSERT_EQ(again->size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ((*again)[i].piece.address, claims[i].piece.address);
    EXPECT_EQ((*again)[i].piece.sizes, claims[i].piece.sizes);
    EXPECT_EQ((*again)[i].box, claims[i].box);
    EXPECT_EQ((*again)[i].checksum, claims[i].checksum);
    EXPECT_EQ((*again)[i].what, claims[i].what);
  }
  for (std::size_t cut = 0; cut < message.size(); ++cut) {
    EXPECT_FALSE(decode_claims(std::span(message).first(cut))) << cut;
  }
}

}  // namespace
}  // namespace shardmark
