// SPDX-License-Identifier: Apache-2.0
#include "bench/text/table.hpp"

#include <algorithm>

namespace shardmark::bench {
namespace {

constexpr std::size_t gap = 2;  // columns between columns
constexpr std::size_t narrowest = 8;

bool starts_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
}

std::size_t display_width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), starts_character));
}

/// Characters [first, first + count) of UTF-8 text.
std::string characters(const std::string& text, std::size_t first, std::size_t count) {
  std::string out;
  std::size_t at = 0;
  for (const char c : text) {
    at += starts_character(c) ? 1U : 0U;
    if (at > first && at <= first + count) {
      out += c;
    }
  }
  return out;
}

std::string fitted(const std::string& cell, std::size_t width) {
  const std::size_t length = display_width(cell);
  if (length <= width) {
    return cell;
  }
  // Names differ most at their ends.
  const std::size_t tail = (width - 3) / 2 + 1;
  return characters(cell, 0, width - 3 - tail) + "..." + characters(cell, length - tail, tail);
}

std::size_t line_width(const std::vector<std::size_t>& widths) {
  std::size_t total = 0;
  for (const std::size_t width : widths) {
    total += width == 0 ? 0 : width + (total == 0 ? 0 : gap);
  }
  return total;
}

}  // namespace

void Table::add_row(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

std::vector<std::size_t> Table::widths(const TextStyle& style) const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = display_width(columns_[i].heading);
    for (const auto& row : rows_) {
      width = std::max(width, display_width(row[i]));
    }
    widths.push_back(width);
  }
  const std::size_t most =
      style.width ? static_cast<std::size_t>(*style.width) : line_width(widths);
  omit(widths, most);
  while (line_width(widths) > most) {
    std::size_t* widest = nullptr;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      if (columns_[i].align == Align::left && widths[i] > narrowest &&
          (widest == nullptr || widths[i] > *widest)) {
        widest = &widths[i];
      }
    }
    if (widest == nullptr) {
      break;
    }
    --*widest;
  }
  return widths;
}

void Table::omit(std::vector<std::size_t>& widths, std::size_t most) const {
  for (const std::string& heading : omissible_) {
    if (line_width(widths) <= most) {
      return;
    }
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (columns_[i].heading == heading) {
        widths[i] = 0;
      }
    }
  }
}

std::string Table::text(const TextStyle& style) const {
  const std::vector<std::size_t> width = widths(style);
  std::string out;
  const auto line_of = [&](const auto& cell_of) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (width[i] == 0) {
        continue;
      }
      const std::string cell = fitted(cell_of(i), width[i]);
      const std::string padding(width[i] - display_width(cell), ' ');
      line += std::string(line.empty() ? 0 : gap, ' ');
      line += columns_[i].align == Align::right ? padding + cell : cell + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    return line;
  };
  const std::string heading = line_of([&](std::size_t i) { return columns_[i].heading; });
  out += style.colour ? "\033[1m" + heading + "\033[0m\n" : heading + "\n";
  out += line_of([&](std::size_t i) { return std::string(width[i], '-'); }) + "\n";
  for (const auto& row : rows_) {
    out += line_of([&](std::size_t i) { return row[i]; }) + "\n";
  }
  return out;
}

}  // namespace shardmark::bench
