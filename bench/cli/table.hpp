// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "bench/cli/text_style.hpp"

namespace shardmark::bench {

/// Aligned columns of text for people. Cells are UTF-8, one column a code point.
class Table {
 public:
  enum class Align { left, right };
  struct Column {
    std::string heading;
    Align align = Align::left;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// Missing cells are empty, surplus ones are dropped.
  void add_row(std::vector<std::string> cells);

  /// Local. Headings, a rule, the rows; ends in a line break. Where it is wider than the terminal,
  /// the widest left-aligned columns are cut in the middle of their cells, down to 8 columns each.
  std::string text(const TextStyle& style) const;

 private:
  std::vector<std::size_t> widths(const TextStyle& style) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace shardmark::bench
