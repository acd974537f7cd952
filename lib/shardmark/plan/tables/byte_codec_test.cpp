// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "shardmark/plan/merge/local_save_plan.hpp"
#include "shardmark/testing/random_source.hpp"

namespace shardmark {
namespace {

using ::testing::HasSubstr;
using Bytes = std::vector<std::byte>;

Bytes bytes_of(std::initializer_list<int> values) {
  Bytes bytes;
  for (const int value : values) {
    bytes.push_back(static_cast<std::byte>(value));
  }
  return bytes;
}

TEST(ByteCodec, WritesLittleEndianBase128AndLittleEndianWords) {
  ByteWriter out;
  out.varint(300);
  out.fixed64(0x0102030405060708ULL);
  out.text("ab");
  out.dims({1, 128});
  EXPECT_EQ(Bytes(out.bytes().begin(), out.bytes().end()),
            bytes_of({0xAC, 0x02, 8, 7, 6, 5, 4, 3, 2, 1, 2, 'a', 'b', 1, 0x80, 1}));
}

TEST(ByteCodec, NumbersOfEveryLengthRoundTrip) {
  for (int bits = 0; bits < 64; ++bits) {
    for (const std::uint64_t value :
         {std::uint64_t{1} << bits, (std::uint64_t{1} << bits) - 1, ~std::uint64_t{0} >> bits}) {
      ByteWriter out;
      out.varint(value);
      ByteReader in(out.bytes());
      EXPECT_EQ(in.varint(), value);
      EXPECT_TRUE(in.ok() && in.at_end());
      for (std::size_t size = 0; size < out.size(); ++size) {
        ByteReader cut(out.bytes().first(size));
        EXPECT_EQ(cut.varint(), 0U);
        EXPECT_FALSE(cut.ok());
      }
    }
  }
}

TEST(ByteCodec, RefusesNumbersThatNobodyWrites) {
  const auto problem_of = [](const Bytes& bytes) {
    ByteReader in(bytes);
    EXPECT_EQ(in.varint(), 0U);
    EXPECT_EQ(in.status("x").error().code, ErrorCode::data_loss);
    return in.status("x").error().message;
  };
  EXPECT_THAT(problem_of(bytes_of({0x80})), HasSubstr("ends inside a number"));
  EXPECT_THAT(problem_of(bytes_of({0x80, 0})), HasSubstr("longer than it need be"));
  EXPECT_THAT(problem_of(bytes_of({0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2})),
              HasSubstr("above 64 bits"));
  EXPECT_THAT(problem_of(bytes_of({0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x81})),
              HasSubstr("above 64 bits"));
}

TEST(ByteCodec, BelievesNoLengthThatDoesNotFit) {
  const Bytes bytes = bytes_of({4, 'a', 'b', 'c'});
  ByteReader text(bytes);
  EXPECT_EQ(text.text(), "");
  EXPECT_FALSE(text.ok());
  const Bytes pair = bytes_of({2, 0, 0, 0});
  ByteReader pairs(pair);
  EXPECT_EQ(pairs.length(2), 0U);
  EXPECT_FALSE(pairs.ok());
  const Bytes most = bytes_of({0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1});
  ByteReader huge(most);
  EXPECT_EQ(huge.length(), 0U);
  EXPECT_FALSE(huge.ok());
  ByteReader negative(most);
  EXPECT_EQ(negative.count(), 0);
  EXPECT_FALSE(negative.ok());
}

}  // namespace
}  // namespace shardmark
