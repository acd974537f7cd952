// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "bench/text/text_style.hpp"

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

  /// Columns by heading that go, in this order, where the table is wider than the terminal. What
  /// there is no column of is passed over.
  void may_omit(std::vector<std::string> headings) { omissible_ = std::move(headings); }

  /// Local. Headings, a rule, the rows; ends in a line break. Where it is wider than the terminal,
  /// first columns go that may, then the widest left-aligned ones are cut in the middle of their
  /// cells, down to 8 columns each.
  std::string text(const TextStyle& style) const;

 private:
  /// Width of each column; 0 of one that is left out.
  std::vector<std::size_t> widths(const TextStyle& style) const;
  void omit(std::vector<std::size_t>& widths, std::size_t most) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
  std::vector<std::string> omissible_;
};

}  // namespace shardmark::bench
