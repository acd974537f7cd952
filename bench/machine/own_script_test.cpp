// SPDX-License-Identifier: Apache-2.0
#include "bench/machine/own_script.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark::bench {
namespace {

namespace fs = std::filesystem;

// Two versions installed from one source tree must not run the scripts that lie there now.
TEST(OwnScript, IsTheInstalledOneBeforeTheSourceTrees) {
  const shardmark::testing::TemporaryDirectory prefix;
  const std::string executable = prefix.path() + "/bin/shardmark";
  const auto source = find_own_script("torture", executable);
  ASSERT_TRUE(source) << source.error().message;
  EXPECT_TRUE(fs::is_regular_file(*source));
  const std::string installed = prefix.path() + "/share/shardmark/scripts/torture";
  fs::create_directories(fs::path(installed).parent_path());
  std::ofstream(installed) << "#";
  EXPECT_NE(*source, installed);
  EXPECT_EQ(*find_own_script("torture", executable), installed);
  const auto none = find_own_script("no-such-script", executable);
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message.find("no-such-script"), std::string::npos);
}

}  // namespace
}  // namespace shardmark::bench
