// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "bench/config/config_lookup.hpp"
#include "bench/config/config_test_fixture.hpp"

namespace shardmark::bench {
namespace {

namespace fs = std::filesystem;

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST_F(ConfigTest, ConfigsAreFoundByPathOrName) {
  const std::string path = write("suites/mine.toml", minimal);
  const std::vector<std::string> roots = {"/nowhere", root_.string()};
  EXPECT_EQ(*find_config("mine", roots), path);
  EXPECT_EQ(*find_config(path, {}), path);
  EXPECT_THAT(message(find_config("mime", roots), ErrorCode::not_found),
              AllOf(HasSubstr("'mime' not found; tried /nowhere/suites/mime.toml, " +
                              root_.string() + "/suites/mime.toml"),
                    HasSubstr("did you mean 'mine'?")));
  EXPECT_THAT(message(find_config("mine.toml", roots), ErrorCode::not_found),
              HasSubstr("is a path, and there is no such file"));
  EXPECT_THAT(message(find_config("./mine", roots), ErrorCode::not_found), HasSubstr("is a path"));
  EXPECT_THAT(message(find_config("", roots), ErrorCode::not_found), HasSubstr("empty"));
  EXPECT_THAT(message(read((root_ / "suites").string() + "/"), ErrorCode::invalid_argument),
              HasSubstr("is a directory"));
}

TEST_F(ConfigTest, ASuiteBringsItsOwnPieces) {
  write("models/x.toml", minimal);
  const std::string suite = write("suites/s.toml", "include = [\"models/x\"]\n");
  EXPECT_TRUE(read_config(suite, {}, {}));
  EXPECT_EQ(*find_piece("models/x", "/elsewhere/s.toml", std::vector{root_.string()}),
            root_.string() + "/models/x.toml");
  EXPECT_FALSE(find_piece("models/x", "/elsewhere/s.toml", {}));
}

TEST_F(ConfigTest, RootsAreTheVariablesThenTheSourceTreesThenTheInstalled) {
  fs::create_directories(root_ / "around/configs/suites");
  const std::string around = (root_ / "around").string();
  setenv("SHARDMARK_CONFIG_PATH", ("/first::" + around + ":/first").c_str(), 1);
  const auto roots = config_roots();
  unsetenv("SHARDMARK_CONFIG_PATH");
  ASSERT_EQ(roots.size(), 4U);
  EXPECT_EQ(roots[0], "/first");
  EXPECT_EQ(roots[1], around + "/configs");
  EXPECT_EQ(roots[2], std::string(SHARDMARK_SOURCE_DIR) + "/configs");
  const fs::path executable = fs::read_symlink("/proc/self/exe");
  EXPECT_EQ(roots[3],
            (executable.parent_path().parent_path() / "share/shardmark/configs").string());
}

}  // namespace
}  // namespace shardmark::bench
