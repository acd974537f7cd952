// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "bench/text/table.hpp"

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

}  // namespace
}  // namespace shardmark::bench
