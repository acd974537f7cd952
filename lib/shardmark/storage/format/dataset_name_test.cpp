// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <string>

#include "shardmark/protocol/state_dict.hpp"
#include "shardmark/storage/format/dataset_name.hpp"
#include "shardmark/testing/random_source.hpp"

namespace shardmark {
namespace {

using shardmark::testing::RandomSource;
using ::testing::HasSubstr;

TEST(DatasetName, EscapesWhatHdf5CannotHold) {
  const auto pairs = std::to_array<std::pair<std::string_view, std::string_view>>(
      {{"layers.0.weight", "layers.0.weight"},
       {"", "%"},
       {".", "%2E"},
       {"..", ".."},
       {"a/b", "a%2Fb"},
       {"/", "%2F"},
       {"100%", "100%25"},
       {"%2F", "%252F"},
       {"%", "%25"},
       {std::string_view("a\0b", 3), "a%00b"},
       {"tab\there", "tab%09here"},
       {"\x7F", "%7F"},
       {"\x1F~", "%1F~"},
       {"größe.重み.🙂", "größe.重み.🙂"},
       {" a b ", " a b "}});
  for (const auto& [fqn, name] : pairs) {
    ASSERT_TRUE(dataset_name(fqn));
    EXPECT_EQ(*dataset_name(fqn), name);
    EXPECT_EQ(*fqn_of_dataset(name), fqn);
  }
}

TEST(DatasetName, EveryFqnHasItsOwnNameAndComesBack) {
  RandomSource random;
  const auto letters =
      std::to_array<std::string_view>({"a", ".", "/", "%", "2", "E", "F", "\x01", "\x7F", "ß"});
  std::map<std::string, std::string> fqn_of;
  for (int round = 0; round < 5'000; ++round) {
    std::string fqn;
    for (std::size_t n = random.index(5); n > 0; --n) {
      fqn += letters.at(random.index(letters.size()));
    }
    const auto name = dataset_name(fqn);
    ASSERT_TRUE(name);
    ASSERT_EQ(name->find('/'), std::string::npos);
    ASSERT_EQ(fqn_of.try_emplace(*name, fqn).first->second, fqn);
    ASSERT_EQ(*fqn_of_dataset(*name), fqn);
  }
}

TEST(DatasetName, RefusesWhatIsNoUtf8OrTooLong) {
  for (const std::string_view bad :
       {"\xFF", "a\x80", "\xC0\xAF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF5",
        "\xC3", "\xE2\x82", "\xF0\x9F\x99"}) {
    EXPECT_EQ(dataset_name(bad).error().code, ErrorCode::invalid_argument);
  }
  EXPECT_TRUE(dataset_name("\xEF\xBF\xBF\xF4\x8F\xBF\xBF\xED\x9F\xBF"));
  const std::string longest(max_fqn_bytes, 'a');
  EXPECT_EQ(*dataset_name(longest), longest);
  EXPECT_EQ(dataset_name(longest + "a").error().code, ErrorCode::invalid_argument);
  // Escapes count: HDF5 holds the name, not the fqn.
  EXPECT_FALSE(dataset_name(std::string(max_fqn_bytes / 3 + 1, '/')));
  EXPECT_TRUE(dataset_name(std::string(max_fqn_bytes / 3, '/')));
}

TEST(DatasetName, DecodingRefusesWhatEncodingDoesNotGive) {
  for (const std::string_view name : {"", ".", "a/b", "%2", "%2f", "%41", "%G0", "a%", "%%", "%2E.",
                                      "a%2E", "\x01", "\xFF", "%FF", "%C3%9F"}) {
    const auto fqn = fqn_of_dataset(name);
    ASSERT_FALSE(fqn) << name;
    EXPECT_EQ(fqn.error().code, ErrorCode::data_loss);
  }
}

}  // namespace
}  // namespace shardmark
