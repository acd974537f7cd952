// SPDX-License-Identifier: Apache-2.0
#include "bench/config/config_value.hpp"

#include <fmt/format.h>

#include <cmath>

namespace shardmark::bench {
namespace {

bool is_bare_key(const std::string& key) {
  constexpr std::string_view allowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
  return !key.empty() && key.find_first_not_of(allowed) == std::string::npos;
}

struct TextOf {
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::int64_t value) const { return fmt::format("{}", value); }
  std::string operator()(double value) const {
    if (!std::isfinite(value)) {
      return std::isnan(value) ? "nan" : value < 0 ? "-inf" : "inf";
    }
    std::string text = fmt::format("{}", value);
    // Without a point or exponent it would read as an integer.
    return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
  }
  std::string operator()(const std::string& value) const { return quoted(value); }
  std::string operator()(const ConfigValue::List& list) const {
    std::string text = "[";
    for (const ConfigValue& value : list) {
      text += (text.size() > 1 ? ", " : "") + to_text(value);
    }
    return text + "]";
  }
  std::string operator()(const ConfigValue::Table& table) const {
    std::string text = "{";
    for (const auto& [key, value] : table) {
      text += fmt::format("{}{} = {}", text.size() > 1 ? ", " : "",
                          is_bare_key(key) ? key : quoted(key), to_text(value));
    }
    return text + "}";
  }
  std::string operator()(const ConfigValue::Other& other) const { return other.kind; }
};

struct KindOf {
  std::string_view operator()(bool) const { return "the boolean "; }
  std::string_view operator()(std::int64_t) const { return "the integer "; }
  std::string_view operator()(double) const { return "the number "; }
  std::string_view operator()(const std::string&) const { return "the string "; }
  std::string_view operator()(const ConfigValue::List&) const { return "the list "; }
  std::string_view operator()(const ConfigValue::Table&) const { return "the table "; }
  std::string_view operator()(const ConfigValue::Other&) const { return "a "; }
};

}  // namespace

std::string to_string(const ConfigOrigin& origin) {
  return origin.line > 0 ? fmt::format("{}:{}", origin.source, origin.line) : origin.source;
}

std::string to_text(const ConfigValue& value) {
  return std::visit(TextOf{}, value.data);
}

std::string describe(const ConfigValue& value) {
  constexpr std::size_t longest = 80;
  std::string text = to_text(value);
  if (text.size() > longest) {
    text = text.substr(0, longest) + "...";
  }
  return fmt::format("{}{}", std::visit(KindOf{}, value.data), text);
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out += fmt::format("\\u{:04X}", static_cast<int>(c));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

}  // namespace shardmark::bench
