// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "bench/config/config_test_fixture.hpp"

namespace shardmark::bench {
namespace {

using ::testing::HasSubstr;

TEST_F(ConfigTest, NoTomlIsAnErrorWithItsPlace) {
  EXPECT_THAT(message(base("[model]\nname = \n"), ErrorCode::invalid_argument),
              HasSubstr("t.toml:2:8: not valid TOML: "));
  EXPECT_THAT(message(base("[run]\nkeep = 1\nkeep = 2\n"), ErrorCode::invalid_argument),
              HasSubstr(":3:"));
}

TEST_F(ConfigTest, DepthIsBounded) {
  const auto repeated = [](const std::string& part, int times) {
    std::string text;
    for (int i = 0; i < times; ++i) {
      text += part;
    }
    return text;
  };
  constexpr int many = 20'000;
  for (const std::string& text :
       {"a" + repeated(".a", many) + " = 1\n", "[a" + repeated(".a", many) + "]\n",
        "a = " + repeated("[", many) + repeated("]", many) + "\n",
        "a = " + repeated("{b = ", many) + "1" + repeated("}", many) + "\n",
        "a" + repeated(".\"a\"", many) + " = 1\n"}) {
    EXPECT_THAT(message(base("# first\n" + text), ErrorCode::invalid_argument),
                HasSubstr("t.toml:2: tables or keys nest more than 64 deep"));
  }
  EXPECT_THAT(refusal("model.name = " + repeated("[", many)), HasSubstr("64 deep"));
  EXPECT_THAT(set_refusal("run.keep=" + repeated("[", many) + repeated("]", many)),
              HasSubstr("run.keep"));
  // Marks in strings and comments are text; numbers have a dot each.
  const std::string marks = repeated("[{.", 100);
  EXPECT_TRUE(base(std::string(minimal) + "# " + marks + "\n[storage]\ndirectory = \"" + marks +
                   "\"\nhints = {a = '" + marks + "', b = \"\"\"" + marks + "\n\"\"\"}\n"));

  for (int i = 0; i < 100; ++i) {
    write(fmt::format("models/n{}.toml", i), fmt::format("include = [\"models/n{}\"]\n", i + 1));
  }
  EXPECT_THAT(message(base("include = [\"models/n0\"]\n"), ErrorCode::invalid_argument),
              HasSubstr("includes nest more than 64 deep"));
}

TEST_F(ConfigTest, OnlyRegularFilesAreRead) {
  const std::string fifo = (root_ / "pipe.toml").string();
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_THAT(message(read(fifo), ErrorCode::invalid_argument), HasSubstr("is no regular file"));
  EXPECT_THAT(message(read("/dev/zero"), ErrorCode::invalid_argument),
              HasSubstr("is no regular file"));
  std::filesystem::resize_file(write("big.toml", ""), std::uintmax_t{1} << 30);
  EXPECT_THAT(message(read((root_ / "big.toml").string()), ErrorCode::invalid_argument),
              HasSubstr("1073741824 bytes"));
}

}  // namespace
}  // namespace shardmark::bench
