// SPDX-License-Identifier: Apache-2.0
// Layouts as Lustre's user header lays them out, recorded byte by byte, and bytes that lie.
#include "shardmark/storage/posix/lustre_layout.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "shardmark/testing/random_source.hpp"

namespace shardmark {
namespace {

using shardmark::testing::RandomSource;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::int64_t mib = std::int64_t{1} << 20;

std::vector<std::byte> from_hex(std::string_view text) {
  std::vector<std::byte> bytes;
  std::string digits;
  for (const char c : text) {
    if (c != ' ') {
      digits += c;
    }
    if (digits.size() == 2) {
      bytes.push_back(static_cast<std::byte>(std::stoi(digits, nullptr, 16)));
      digits.clear();
    }
  }
  return bytes;
}

// As `getfattr -e hex -n lustre.lov` prints them; magic, pattern, object, stripe size, count,
// generation, then the objects.
constexpr std::string_view plain_v1 =
    "d00bd10b 01000000 0100000000000000 0004000002000000 00001000 0400 0000"
    "3412000000000000 0000000000000000 00000000 02000000"
    "3512000000000000 0000000000000000 00000000 03000000"
    "3612000000000000 0000000000000000 00000000 00000000"
    "3712000000000000 0000000000000000 00000000 01000000";
constexpr std::string_view pooled_v3 =
    "d00bd30b 01000000 0000000000000000 0000000000000000 00004000 ffff ffff"
    "666c6173680000000000000000000000";  // "flash"
// [0, 64 MiB) one stripe of 1 MiB; [64 MiB, 1 GiB) four of 1 MiB; the rest all of 4 MiB.
constexpr std::string_view progressive =
    "d00bd60b 10010000 02000000 0000 0300 0000 000000000000 0000000000000000"
    "01000000 10000000 0000000000000000 0000000400000000 b0000000 20000000 00000000"
    "0000000000000000 00000000"
    "02000000 00000000 0000000400000000 0000004000000000 d0000000 20000000 00000000"
    "0000000000000000 00000000"
    "03000000 00000000 0000004000000000 ffffffffffffffff f0000000 20000000 00000000"
    "0000000000000000 00000000"
    "d00bd10b 01000000 0000000000000000 0000000000000000 00001000 0100 0000"
    "d00bd10b 01000000 0000000000000000 0000000000000000 00001000 0400 0000"
    "d00bd10b 01000000 0000000000000000 0000000000000000 00004000 ffff 0000";

std::string why_not(const std::vector<std::byte>& bytes) {
  const auto parsed = parse_lustre_layout(bytes);
  return parsed ? "parsed" : parsed.error().message;
}

TEST(LustreLayout, PlainPooledAndProgressive) {
  const auto v1 = parse_lustre_layout(from_hex(plain_v1));
  ASSERT_TRUE(v1.has_value()) << v1.error().message;
  EXPECT_THAT(v1->components, ElementsAre(StripeComponent{0, INT64_MAX, mib, 4}));
  const auto v3 = parse_lustre_layout(from_hex(pooled_v3));
  ASSERT_TRUE(v3.has_value()) << v3.error().message;
  EXPECT_THAT(v3->components, ElementsAre(StripeComponent{0, INT64_MAX, 4 * mib, all_stripes}));
  const auto parts = parse_lustre_layout(from_hex(progressive));
  ASSERT_TRUE(parts.has_value()) << parts.error().message;
  EXPECT_THAT(parts->components,
              ElementsAre(StripeComponent{0, 64 * mib, mib, 1},
                          StripeComponent{64 * mib, 1024 * mib, mib, 4},
                          StripeComponent{1024 * mib, INT64_MAX, 4 * mib, all_stripes}));
}

TEST(LustreLayout, OfMirrorsTheFirstThatIsNotStale) {
  std::vector<std::byte> bytes = from_hex(progressive);
  // The first two components become a stale mirror, the third one of another over all bytes.
  constexpr std::size_t entry = 48;
  for (std::size_t i = 0; i < 2; ++i) {
    bytes[32 + i * entry + 2] = std::byte{1};
    bytes[32 + i * entry + 4] = std::byte{0x11};
  }
  bytes[32 + 2 * entry + 2] = std::byte{2};
  for (std::size_t i = 8; i < 16; ++i) {
    bytes[32 + 2 * entry + i] = std::byte{0};
  }
  const auto parsed = parse_lustre_layout(bytes);
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  EXPECT_THAT(parsed->components, ElementsAre(StripeComponent{0, INT64_MAX, 4 * mib, all_stripes}));
}

TEST(LustreLayout, DataOnTheMetadataServerIsOneObject) {
  std::vector<std::byte> bytes = from_hex(plain_v1);
  bytes[5] = std::byte{1};  // pattern 0x101
  EXPECT_EQ(parse_lustre_layout(bytes)->components.front().stripe_count, 1);
}

TEST(LustreLayout, LiesAreRefused) {
  const std::vector<std::byte> v1 = from_hex(plain_v1);
  EXPECT_THAT(why_not({}), HasSubstr("0 bytes, expected 32"));
  EXPECT_THAT(why_not({v1.begin(), v1.begin() + 31}), HasSubstr("31 bytes"));
  std::vector<std::byte> bytes = v1;
  bytes[0] = std::byte{0xd1};
  EXPECT_THAT(why_not(bytes), HasSubstr("magic 0xbd10bd1"));
  bytes = v1;
  bytes[24] = std::byte{1};
  EXPECT_THAT(why_not(bytes), HasSubstr("stripes of 1048577 bytes"));
  bytes = from_hex(pooled_v3);
  bytes.pop_back();
  EXPECT_THAT(why_not(bytes), HasSubstr("47 bytes, expected 48"));
  const std::vector<std::byte> parts = from_hex(progressive);
  for (std::size_t length = 0; length < parts.size(); ++length) {
    EXPECT_NE(why_not({parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(length)}),
              "parsed");
  }
  bytes = parts;
  bytes[15] = std::byte{0xff};  // entries
  EXPECT_THAT(why_not(bytes), HasSubstr("65283 components in 272 of 272 bytes"));
  bytes = parts;
  bytes[32 + 24] = std::byte{0x20};  // into the entries themselves
  EXPECT_THAT(why_not(bytes), HasSubstr("component 0 lies at 32"));
  bytes = parts;
  bytes[32 + 31] = std::byte{0xff};
  EXPECT_THAT(why_not(bytes), HasSubstr("component 0 lies at"));
  bytes = parts;
  bytes[32 + 48 + 11] = std::byte{3};  // begins at 48 MiB
  EXPECT_THAT(why_not(bytes), HasSubstr("two components have the same bytes"));
  bytes = parts;
  bytes[32 + 19] = std::byte{0};
  EXPECT_THAT(why_not(bytes), HasSubstr("component 0 ends before it begins"));
  bytes = parts;
  bytes[32 + 96 + 23] = std::byte{0x80};
  EXPECT_THAT(why_not(bytes), HasSubstr("beyond 2^63"));
}

// Whatever bytes a file system answers with: an error, or components that arithmetic can bear.
TEST(LustreLayout, NoBytesGiveWhatCannotBe) {
  RandomSource random;
  const std::vector<std::vector<std::byte>> sound = {from_hex(plain_v1), from_hex(pooled_v3),
                                                     from_hex(progressive)};
  int parsed_rounds = 0;
  for (int round = 0; round < 20000; ++round) {
    std::vector<std::byte> bytes = sound[random.index(sound.size())];
    for (std::int64_t changes = 1 + random.number(4); changes > 0; --changes) {
      bytes[random.index(bytes.size())] = static_cast<std::byte>(random.number(256));
    }
    bytes.resize(random.one_in(4) ? random.index(bytes.size() + 1) : bytes.size());
    const auto parsed = parse_lustre_layout(bytes);
    if (!parsed) {
      EXPECT_EQ(parsed.error().code, ErrorCode::data_loss);
      continue;
    }
    ++parsed_rounds;
    std::int64_t at = 0;
    for (const StripeComponent& component : parsed->components) {
      EXPECT_LE(at, component.begin);
      EXPECT_LT(component.begin, component.end);
      EXPECT_GE(component.stripe_bytes, 0);
      EXPECT_EQ(component.stripe_bytes % stripe_unit_bytes, 0);
      EXPECT_LE(component.stripe_bytes, max_stripe_bytes);
      EXPECT_GE(component.stripe_count, all_stripes);
      EXPECT_LT(component.stripe_count, 1 << 16);
      at = component.end;
    }
  }
  EXPECT_GT(parsed_rounds, 1000);
}

TEST(LustreLayout, WhatIsNotAskedForStaysAsTheFolderHasIt) {
  const auto made = [](std::string_view inherited, std::int64_t size, std::int64_t count) {
    const auto layout = make_lustre_layout(from_hex(inherited), size, count);
    EXPECT_TRUE(layout.has_value());
    return layout ? *layout : std::vector<std::byte>();
  };
  EXPECT_EQ(made("", 4 * mib, all_stripes),
            from_hex("d00bd10b 01000000 0000000000000000 0000000000000000 00004000 ffff ffff"));
  EXPECT_EQ(made("", 0, 8),
            from_hex("d00bd10b 01000000 0000000000000000 0000000000000000 00000000 0800 ffff"));
  EXPECT_EQ(made(plain_v1, 2 * mib, 0),
            from_hex("d00bd10b 01000000 0000000000000000 0000000000000000 00002000 0400 ffff"));
  // The pool stays.
  EXPECT_EQ(made(pooled_v3, 0, 3),
            from_hex("d00bd30b 01000000 0000000000000000 0000000000000000 00004000 0300 ffff"
                     "666c6173680000000000000000000000"));
  // Of components those of large files count.
  EXPECT_EQ(made(progressive, 0, 16),
            from_hex("d00bd10b 01000000 0000000000000000 0000000000000000 00004000 1000 ffff"));
  EXPECT_FALSE(make_lustre_layout(from_hex("d00bd10b"), 0, 1).has_value());
}

}  // namespace
}  // namespace shardmark
