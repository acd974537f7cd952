// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "bench/config/resolve.hpp"

namespace shardmark::bench {

using Overrides = std::vector<std::string>;

inline constexpr const char* minimal = "[model]\nname = \"m\"\n[parallel]\nstrategy = \"ddp\"\n";

/// A configs folder of its own for each test.
class ConfigTest : public ::testing::Test {
 protected:
  ConfigTest() {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    root_ = std::filesystem::path(::testing::TempDir()) /
            ("shardmark_config_" + std::to_string(getpid()) + "_" + info->name());
    std::filesystem::create_directories(root_ / "suites");
  }
  ~ConfigTest() override { std::filesystem::remove_all(root_); }

  std::string write(const std::string& name, const std::string& text) {
    const std::filesystem::path path = root_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path.string();
  }

  Result<ConfigDocument> read(const std::string& config, const Overrides& overrides = {}) {
    return read_config(config, overrides, std::vector<std::string>{root_.string()});
  }

  Result<Config> base(const std::string& text, const Overrides& overrides = {}) {
    SHARDMARK_ASSIGN_OR_RETURN(const auto document, read(write("suites/t.toml", text), overrides));
    return resolve(document);
  }

  Result<std::vector<SweepCase>> cases(const std::string& text, const Overrides& overrides = {}) {
    SHARDMARK_ASSIGN_OR_RETURN(const auto document, read(write("suites/t.toml", text), overrides));
    return resolve_sweep(document);
  }

  /// The message of a minimal configuration with `text` added; expects the code.
  std::string refusal(const std::string& text, ErrorCode code = ErrorCode::invalid_argument) {
    return message(base(minimal + text), code);
  }

  std::string set_refusal(const std::string& set, ErrorCode code = ErrorCode::invalid_argument) {
    return message(base(minimal, {set}), code);
  }

  template <typename T>
  std::string message(const Result<T>& result, ErrorCode code) {
    if (result) {
      ADD_FAILURE() << "accepted";
      return {};
    }
    EXPECT_EQ(result.error().code, code) << result.error().message;
    EXPECT_EQ(std::count(result.error().message.begin(), result.error().message.end(), '\n'), 0);
    return result.error().message;
  }

  Config minimal_with(const std::string& set) {
    const auto config = base(minimal, {set});
    EXPECT_TRUE(config) << (config ? "" : config.error().message);
    return config ? *config : Config();
  }

  std::filesystem::path root_;
};

}  // namespace shardmark::bench
