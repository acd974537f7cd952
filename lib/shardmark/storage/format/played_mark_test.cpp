// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/format/played_mark.hpp"

#include <gtest/gtest.h>

#include <string>

namespace shardmark {
namespace {

PlayedMark example() {
  return {{512, {0, 1, 2, 3, 256}},
          PlayedParts::held,
          {"0123456789abcdef0123456789abcdef", 7, {{entry_file_name, 4096, 5}}, 1000, 96, 2}};
}

TEST(PlayedMark, ReadsBackWhatItWrote) {
  const std::string text = to_text(example());
  EXPECT_TRUE(text.starts_with("shardmark played save\nworld 512\nranks 0-3,256\nparts held\n"))
      << text;
  EXPECT_TRUE(is_played_mark(text));
  const auto mark = parse_played_mark(text, "PLAYED");
  ASSERT_TRUE(mark) << mark.error().message;
  EXPECT_EQ(mark->world, example().world);
  EXPECT_EQ(mark->parts, PlayedParts::held);
  EXPECT_EQ(mark->record.save_id, example().record.save_id);
  EXPECT_EQ(to_text(*mark), text);
}

TEST(PlayedMark, IsNoCommitAndNoCommitIsOne) {
  const std::string commit = to_text(example().record);
  EXPECT_FALSE(is_played_mark(commit));
  EXPECT_FALSE(parse_played_mark(commit, "PLAYED"));
  EXPECT_FALSE(parse_commit_record(to_text(example()), "COMMIT"));
}

TEST(PlayedMark, AnyOtherByteIsFound) {
  const std::string text = to_text(example());
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (const int bit : {1, 4, 32}) {
      std::string other = text;
      other[at] = static_cast<char>(other[at] ^ bit);
      EXPECT_FALSE(parse_played_mark(other, "PLAYED")) << at;
    }
    EXPECT_FALSE(parse_played_mark(text.substr(0, at), "PLAYED")) << at;
  }
  EXPECT_FALSE(parse_played_mark(text + "x", "PLAYED"));
}

}  // namespace
}  // namespace shardmark
