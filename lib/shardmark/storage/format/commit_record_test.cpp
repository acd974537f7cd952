// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "shardmark/core/checksum.hpp"
#include "shardmark/storage/format/commit_record.hpp"

namespace shardmark {
namespace {

using ::testing::HasSubstr;

CommitRecord some_record(std::uint64_t version = format_version) {
  CommitRecord record;
  record.version = version;
  record.save_id = "0123456789abcdef0123456789abcdef";
  record.step = 12;
  record.files = {{entry_file_name, 123456, 0x00aabbccddeeff01ULL}, {"rank-00001.h5", 99, {}}};
  if (version > 1) {
    record.files[1].outside_hash = 7;
  }
  record.manifest_address = 4096;
  record.manifest_bytes = 1790;
  return record;
}

class KnownVersion : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(KnownVersion, RoundTrips) {
  const CommitRecord record = some_record(GetParam());
  const auto again = parse_commit_record(to_text(record), "COMMIT");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->version, GetParam());
  EXPECT_EQ(again->save_id, record.save_id);
  EXPECT_EQ(again->step, 12);
  ASSERT_EQ(again->files.size(), 2U);
  EXPECT_EQ(again->files[1].name, "rank-00001.h5");
  EXPECT_EQ(again->files[1].num_bytes, 99);
  EXPECT_EQ(again->manifest_address, 4096);
  EXPECT_EQ(again->manifest_bytes, 1790);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(again->files[i].outside_hash, record.files[i].outside_hash);
  }
}

TEST(CommitRecord, AnotherVersionIsNamedBeforeItsHashIsLookedAt) {
  const std::string other = "shardmark checkpoint\nformat_version 3\nsomething else\n";
  const auto got = parse_commit_record(other, "/d/COMMIT");
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ErrorCode::unsupported);
  EXPECT_THAT(got.error().message, HasSubstr("format version 3"));
  EXPECT_THAT(got.error().message, HasSubstr("/d/COMMIT"));
}

TEST_P(KnownVersion, EveryChangeOfOneByteAndEveryTruncationIsRefused) {
  const std::string good = to_text(some_record(GetParam()));
  for (std::size_t i = 0; i < good.size(); ++i) {
    EXPECT_FALSE(parse_commit_record(good.substr(0, i), "COMMIT"));
    EXPECT_FALSE(parse_commit_record(good.substr(0, i) + good.substr(i + 1), "COMMIT"));
    for (int value = 0; value < 256; ++value) {
      std::string text = good;
      text[i] = static_cast<char>(value);
      ASSERT_EQ(parse_commit_record(text, "COMMIT").has_value(), text == good)
          << "byte " << i << " as " << value;
    }
  }
  EXPECT_FALSE(parse_commit_record(good + "\n", "COMMIT"));
  EXPECT_FALSE(parse_commit_record(good + good, "COMMIT"));
}

INSTANTIATE_TEST_SUITE_P(All, KnownVersion, ::testing::Range<std::uint64_t>(1, format_version + 1));

/// Text of the given lines with a hash that matches.
std::string signed_text(const std::string& lines, int version = 1) {
  const std::string text =
      fmt::format("shardmark checkpoint\nformat_version {}\n", version) + lines;
  return text + fmt::format("xxh3 {:016x}\n", xxh3(std::as_bytes(std::span(text))));
}

TEST(CommitRecord, ARightHashMakesNoWrongContentsRight) {
  const std::string tail = "manifest 8 9\nstructure 0000000000000001\n";
  EXPECT_TRUE(parse_commit_record(signed_text("save_id x\nstep 1\nfile 5 checkpoint.h5\n" + tail),
                                  "COMMIT"));
  for (const std::string& lines :
       {"save_id x\nstep 1\n" + tail, "save_id x\nstep 1\nfile 5 other.h5\n" + tail,
        "save_id x\nstep 1\nfile -5 checkpoint.h5\n" + tail,
        "save_id x\nstep 1\nfile 05 checkpoint.h5\n" + tail,
        "save_id x\nstep 1\nfile 5 checkpoint.h5\nfile 5 ../x\n" + tail,
        "save_id x\nstep 1\nfile 5 checkpoint.h5\nfile 5 .x\n" + tail,
        "save_id x\nstep 1\nfile 5 checkpoint.h5\nfile 5 \n" + tail,
        "save_id x\nstep 1\nfile 5 checkpoint.h5\nfile 5\n" + tail,
        "save_id x\nstep 99999999999999999999\nfile 5 checkpoint.h5\n" + tail,
        std::string("save_id x\nstep 1\nfile 5 checkpoint.h5\nmanifest 8\nstructure 01\n"),
        std::string("step 1\nsave_id x\nfile 5 checkpoint.h5\n") + tail}) {
    const auto got = parse_commit_record(signed_text(lines), "COMMIT");
    ASSERT_FALSE(got) << lines;
    EXPECT_EQ(got.error().code, ErrorCode::data_loss);
  }
}

TEST(CommitRecord, EveryFileOfVersionTwoHasAHash) {
  const std::string head = "save_id x\nstep 1\n";
  const std::string tail = "manifest 8 9\n";
  const std::string good = head + "file 5 00000000000000ff checkpoint.h5\n" + tail;
  EXPECT_TRUE(parse_commit_record(signed_text(good, 2), "COMMIT"));
  EXPECT_FALSE(parse_commit_record(signed_text(good, 1), "COMMIT"));
  for (const std::string& lines :
       {head + "file 5 checkpoint.h5\n" + tail, head + "file 5 ff checkpoint.h5\n" + tail,
        head + "file 5 00000000000000FF checkpoint.h5\n" + tail,
        head + "file 5 00000000000000ff\n" + tail, good + "structure 00000000000000ff\n"}) {
    const auto got = parse_commit_record(signed_text(lines, 2), "COMMIT");
    ASSERT_FALSE(got) << lines;
    EXPECT_EQ(got.error().code, ErrorCode::data_loss);
  }
}

}  // namespace
}  // namespace shardmark
