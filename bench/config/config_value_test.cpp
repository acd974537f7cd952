// SPDX-License-Identifier: Apache-2.0
#include "bench/config/config_value.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

namespace shardmark::bench {
namespace {

std::string text_of(auto data) {
  ConfigValue value;
  value.data = std::move(data);
  return to_text(value);
}

TEST(ConfigValue, IsWrittenSoThatTomlReadsItBack) {
  EXPECT_EQ(text_of(true), "true");
  EXPECT_EQ(text_of(std::int64_t{-3}), "-3");
  EXPECT_EQ(text_of(2.0), "2.0") << "without the point it would be an integer";
  EXPECT_EQ(text_of(1e300), "1e+300");
  EXPECT_EQ(text_of(-std::numeric_limits<double>::infinity()), "-inf");
  EXPECT_EQ(text_of(std::string("a\"b\\c\n\x01")), R"("a\"b\\c\n\u0001")");
  ConfigValue::List list(2);
  list[0].data = std::int64_t{1};
  list[1].data = std::string("x");
  EXPECT_EQ(text_of(list), "[1, \"x\"]");
  ConfigValue::Table table(2);
  table[0] = {"bare_key", list[0]};
  table[1] = {"no key", list[1]};
  EXPECT_EQ(text_of(table), "{bare_key = 1, \"no key\" = \"x\"}");
}

TEST(ConfigValue, IsDescribedWithItsKindAndCutWhereLong) {
  ConfigValue value;
  value.data = std::string(200, 'x');
  const std::string text = describe(value);
  EXPECT_TRUE(text.starts_with("the string \"xxx")) << text;
  EXPECT_TRUE(text.ends_with("x...")) << text;
  EXPECT_LT(text.size(), 100U);
  value.data = ConfigValue::Other{"date"};
  EXPECT_EQ(describe(value), "a date");
}

TEST(ConfigOrigin, HasALineWhereThereIsOne) {
  EXPECT_EQ(to_string({"suites/quick.toml", 7}), "suites/quick.toml:7");
  EXPECT_EQ(to_string({"--set run.ranks=8", 0}), "--set run.ranks=8");
}

}  // namespace
}  // namespace shardmark::bench
