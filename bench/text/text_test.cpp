// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/machine/build_info.hpp"
#include "bench/text/error_report.hpp"
#include "bench/text/human_units.hpp"
#include "bench/text/table.hpp"
#include "bench/text/text_wrap.hpp"

namespace shardmark::bench {
namespace {

TEST(Table, AlignsByCharactersAndEndsLinesEarly) {
  Table table({{"name"}, {"bytes", Table::Align::right}, {"note"}});
  table.add_row({"\xC3\xA4\xC3\xB6", "1", "x"});
  table.add_row({"abc", "12345678"});
  EXPECT_EQ(table.text({}),
            "name     bytes  note\n"
            "----  --------  ----\n"
            "\xC3\xA4\xC3\xB6           1  x\n"
            "abc   12345678\n");
}

TEST(Table, CutsTheWidestTextInItsMiddleToFitATerminal) {
  Table table({{"fqn"}, {"bytes", Table::Align::right}});
  table.add_row({"model.layers.31.mlp.down_proj.weight", "117440512"});
  EXPECT_EQ(table.text({30, false}),
            "fqn                      bytes\n"
            "-------------------  ---------\n"
            "model.l...oj.weight  117440512\n");
  // Numbers are never cut, and names not below 8 characters.
  EXPECT_EQ(table.text({5, false}),
            "fqn           bytes\n"
            "--------  ---------\n"
            "mo...ght  117440512\n");
  EXPECT_EQ(table.text({{}, true}).substr(0, 8), "\033[1mfqn ");
}

TEST(Table, LeavesOutColumnsThatMayGoBeforeItCutsNames) {
  Table table({{"fqn"}, {"a", Table::Align::right}, {"b", Table::Align::right}, {"c"}});
  table.may_omit({"b", "none", "a"});
  table.add_row({"model.norm.weight", "1", "22", "x"});
  EXPECT_EQ(table.text({27, false}),
            "fqn                a   b  c\n"
            "-----------------  -  --  -\n"
            "model.norm.weight  1  22  x\n");
  EXPECT_EQ(table.text({26, false}),
            "fqn                a  c\n"
            "-----------------  -  -\n"
            "model.norm.weight  1  x\n");
  EXPECT_EQ(table.text({12, false}),
            "fqn        c\n"
            "---------  -\n"
            "mo...ight  x\n");
}

TEST(TextWrap, BreaksBetweenWordsOnly) {
  EXPECT_EQ(wrapped("one two  three", std::nullopt), "one two  three");
  EXPECT_EQ(wrapped("one two  three", 7), "one two\nthree");
  EXPECT_EQ(wrapped("one two\nthree four", 9, 2), "one two\nthree\n  four");
  EXPECT_EQ(wrapped("incomprehensibilities a", 5, 2), "incomprehensibilities\n  a");
  EXPECT_EQ(wrapped("\033[1mone\033[0m two", 7), "\033[1mone\033[0m two");
  EXPECT_EQ(wrapped("", 10), "");
  EXPECT_EQ(wrapped("a b\n", 1), "a\nb\n");
}

TEST(HumanUnits, KeepThreeDigits) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1024), "1.00 KiB");
  EXPECT_EQ(format_bytes(10239), "10.0 KiB");
  EXPECT_EQ(format_bytes(1048575), "1.00 MiB");
  EXPECT_EQ(format_bytes(536870912), "512 MiB");
  EXPECT_EQ(format_bytes(std::int64_t{16} << 40), "16.0 TiB");
  EXPECT_EQ(format_rate(1.5 * 1024 * 1024 * 1024), "1.50 GiB/s");
  EXPECT_EQ(format_seconds(1.434), "1.43 s");
  EXPECT_EQ(format_seconds(0.0123), "12.3 ms");
  EXPECT_EQ(format_seconds(350e-6), "350 us");
  EXPECT_EQ(format_seconds(0.99999), "1.00 s");
  EXPECT_EQ(format_seconds(4e-12), "0.00400 ns");
  EXPECT_EQ(format_seconds(0), "0 s");
  EXPECT_EQ(format_seconds(123), "123 s");
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(-1000), "-1,000");
  EXPECT_EQ(format_count(8030261248), "8,030,261,248");
}

TEST(HumanUnits, AColumnHasOneUnitAndEveryTimeThreeDigits) {
  const auto column = [](std::vector<double> seconds) {
    const TimeUnit unit = common_unit(seconds);
    std::string text;
    for (const double each : seconds) {
      text += (text.empty() ? "" : " | ") + format_seconds(each, unit);
    }
    return text;
  };
  EXPECT_EQ(column({1.64, 12e-6}), "1640 ms | 0.0120 ms");
  EXPECT_EQ(column({0.5, 0.25, 0}), "500 ms | 250 ms | 0 ms");
  EXPECT_EQ(column({1.5, 12}), "1.50 s | 12.0 s");
  EXPECT_EQ(column({}), "");
  EXPECT_EQ(three_digits(0.09996), "0.100");
  EXPECT_EQ(three_digits(9.996), "10.0");
  EXPECT_EQ(three_digits(0), "0.00");
}

TEST(ErrorReport, HasSixLinesAtMost) {
  const Error error = {ErrorCode::data_loss, "1\n2\n3\n4\n5\n6\n7\n", 3};
  EXPECT_EQ(error_message(error, {}), "shardmark: error: rank 3: 1\n2\n3\n4\n5\n6\n");
  EXPECT_EQ(error_message({ErrorCode::not_found, "a\nb", -1}, {}), "shardmark: error: a\nb\n");
  EXPECT_EQ(error_message({ErrorCode::not_found, "", -1}, {}), "shardmark: error: \n");
  EXPECT_EQ(error_message({ErrorCode::not_found, "one two three", -1}, {22, false}),
            "shardmark: error: one\n  two three\n");
  EXPECT_EQ(error_message(error, {22, false}), error_message(error, {}));
  EXPECT_EQ(
      error_document({ErrorCode::data_loss, "m", 3}),
      "{\n  \"error\": {\n    \"code\": 1,\n    \"message\": \"m\",\n    \"rank\": 3\n  }\n}\n");
}

TEST(BuildInfo, IsWhole) {
  const BuildInfo info = build_info();
  EXPECT_TRUE(info.commit == "unknown" || info.commit.size() == 40) << info.commit;
  EXPECT_THAT(info.mpi, testing::Not(testing::HasSubstr(",")));
  for (const std::string& text : {info.version, info.compiler, info.build_type, info.mpi, info.hdf5,
                                  info.fmt, info.google_benchmark}) {
    EXPECT_FALSE(text.empty());
  }
}

}  // namespace
}  // namespace shardmark::bench
