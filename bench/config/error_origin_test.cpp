// SPDX-License-Identifier: Apache-2.0
#include "bench/config/error_origin.hpp"

#include <gmock/gmock.h>

#include "bench/config/config_test_fixture.hpp"
#include "bench/config/lib_options.hpp"

namespace shardmark::bench {
namespace {

using ::testing::EndsWith;
using ::testing::StartsWith;

class ErrorOrigin : public ConfigTest {
 protected:
  /// What four ranks are told of a configuration that is well-formed and cannot be.
  std::string told(const std::string& text, const Overrides& overrides = {}) {
    const auto config = base(text, overrides);
    EXPECT_TRUE(config) << config.error().message;
    const auto made =
        with_origin(Workload::make(workload_options(*config), 0, 4, Memory::none), *config);
    EXPECT_FALSE(made);
    EXPECT_EQ(exit_code(made.error().code), 2);
    return made.error().message;
  }
};

TEST_F(ErrorOrigin, WhatTheWorkloadRefusesNamesFileAndLine) {
  const std::string tiny = "[model]\nname = \"tiny\"\n[parallel]\n";
  const std::string file = write("suites/t.toml", "");
  EXPECT_THAT(told("[model]\nname = \"nope\"\n[parallel]\nstrategy = \"ddp\"\n"),
              StartsWith(file + ":2: model.name 'nope'"));
  EXPECT_THAT(told(tiny + "strategy = \"fsdpp\"\n"),
              StartsWith(file + ":4: parallel.strategy 'fsdpp'"));
  EXPECT_THAT(told(tiny + "strategy = \"fsdp\"\norder = \"x\"\n"),
              StartsWith(file + ":5: parallel.order 'x'"));
  EXPECT_THAT(told(tiny + "strategy = \"fsdp\"\n\ndp_shard = 3\n"),
              StartsWith(file + ":6: parallel: strategy 'fsdp'"))
      << "the degree, not the strategy";
  EXPECT_THAT(told(tiny + "strategy = \"ddp\"\ntp = 2\n"), StartsWith(file + ":5: parallel.tp"));
}

TEST_F(ErrorOrigin, AnOverrideIsNamedByItsKeyAlone) {
  EXPECT_THAT(
      told("[model]\nname = \"tiny\"\n[parallel]\nstrategy = \"ddp\"\n", {"model.name=nope"}),
      StartsWith("model.name 'nope'"));
}

TEST_F(ErrorOrigin, ASweptValueIsNamedByItsOwnLine) {
  const auto points = cases(
      "[model]\nname = \"tiny\"\n[parallel]\nstrategy = \"ddp\"\n[sweep]\n"
      "\"run.keep\" = [\n1,\n2]\n");
  ASSERT_TRUE(points);
  ASSERT_EQ(points->size(), 2U);
  const Error error{ErrorCode::invalid_argument, "run.keep holds"};
  EXPECT_THAT(with_origin(error, points->at(0).config).message,
              EndsWith("t.toml:7: run.keep holds"));
  EXPECT_THAT(with_origin(error, points->at(1).config).message,
              EndsWith("t.toml:8: run.keep holds"));
  EXPECT_THAT(with_origin(error, *points).message, EndsWith("t.toml:7: run.keep holds"));
}

TEST_F(ErrorOrigin, WhatBeginsWithNoWrittenKeyStays) {
  const auto config = base(minimal);
  ASSERT_TRUE(config);
  for (const char* message :
       {"run.keep = 3: a default", "t.toml:1: model.name twice", "modelx", "the model.name", ""}) {
    EXPECT_EQ(with_origin(Error{ErrorCode::invalid_argument, message}, *config).message, message);
  }
  const Error elsewhere{ErrorCode::io_error, "model.name"};
  EXPECT_EQ(with_origin(elsewhere, *config).message, "model.name");
}

}  // namespace
}  // namespace shardmark::bench
