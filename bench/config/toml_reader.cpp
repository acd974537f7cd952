// SPDX-License-Identifier: Apache-2.0
#include "bench/config/toml_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

// The only place that sees toml++: slow to compile, and it throws.
#include <toml++/toml.h>

namespace shardmark::bench {
namespace {

constexpr std::uintmax_t max_file_bytes = std::uintmax_t{16} << 20;

ConfigValue converted(const toml::node& node, const std::string& source);

ConfigValue::List converted_list(const toml::array& array, const std::string& source) {
  ConfigValue::List list;
  for (const toml::node& element : array) {
    list.push_back(converted(element, source));
  }
  return list;
}

ConfigValue::Table converted_table(const toml::table& table, const std::string& source) {
  ConfigValue::Table entries;
  for (const auto& [key, value] : table) {
    entries.push_back({std::string(key.str()), converted(value, source)});
    if (!value.is_table()) {
      // A value that starts on a later line than its key is looked for at its key.
      entries.back().value.origin.line = static_cast<int>(key.source().begin.line);
    }
  }
  return entries;
}

ConfigValue converted(const toml::node& node, const std::string& source) {
  ConfigValue value;
  value.origin = {source, static_cast<int>(node.source().begin.line)};
  switch (node.type()) {
    case toml::node_type::boolean:
      value.data = node.as_boolean()->get();
      break;
    case toml::node_type::integer:
      value.data = node.as_integer()->get();
      break;
    case toml::node_type::floating_point:
      value.data = node.as_floating_point()->get();
      break;
    case toml::node_type::string:
      value.data = node.as_string()->get();
      break;
    case toml::node_type::array:
      value.data = converted_list(*node.as_array(), source);
      break;
    case toml::node_type::table:
      value.data = converted_table(*node.as_table(), source);
      break;
    default:
      value.data = ConfigValue::Other{"date or time"};
  }
  return value;
}

/// How deep a text nests, found by looking at its marks alone: the parser and whatever walks or
/// frees what it makes go down one call a level, and a file of 20,000 dots must not end the
/// process.
class NestingCheck {
 public:
  explicit NestingCheck(std::string_view text) : text_(text) {}

  /// The first line that is too deep; nullopt if none is.
  std::optional<int> too_deep_at() {
    for (std::size_t at = 0; at < text_.size();) {
      if (const std::string_view quote = quote_at(at); !quote.empty()) {
        at = end_of_string(at + quote.size(), quote);
        continue;
      }
      if (text_[at] == '#') {
        at = std::min(text_.find('\n', at), text_.size());
        continue;
      }
      step(text_[at++]);
      if (brackets_ > most || dots_ > most) {
        return line_;
      }
    }
    return std::nullopt;
  }

 private:
  static constexpr int most = 64;

  std::string_view quote_at(std::size_t at) const {
    for (const std::string_view quote : {"\"\"\"", "'''", "\"", "'"}) {
      if (text_.substr(at).starts_with(quote)) {
        return quote;
      }
    }
    return {};
  }

  std::size_t end_of_string(std::size_t at, std::string_view quote) {
    for (; at < text_.size(); ++at) {
      line_ += text_[at] == '\n' ? 1 : 0;
      if (text_[at] == '\\' && quote.front() == '"') {
        ++at;
      } else if (text_.substr(at).starts_with(quote)) {
        return at + quote.size();
      } else if (text_[at] == '\n' && quote.size() == 1) {
        return at;  // the parser will say that it does not end
      }
    }
    return at;
  }

  void step(char mark) {
    switch (mark) {
      case '\n':
        ++line_;
        dots_ = 0;
        break;
      case '=':
      case ',':
        dots_ = 0;
        break;
      case '[':
      case '{':
        ++brackets_;
        dots_ = 0;
        break;
      case ']':
      case '}':
        --brackets_;
        break;
      case '.':
        ++dots_;
        break;
      default:
        break;
    }
  }

  std::string_view text_;
  int line_ = 1;
  int brackets_ = 0;
  int dots_ = 0;  // of the key or number at hand
};

Result<toml::table> parsed_table(std::string_view text, const std::string& source) {
  if (const auto line = NestingCheck(text).too_deep_at()) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("{}:{}: tables or keys nest more than 64 deep, expected at most "
                             "section.key",
                             source, *line)};
  }
  try {
    return toml::parse(text, source);
  } catch (const toml::parse_error& error) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("{}:{}:{}: not valid TOML: {}", source, error.source().begin.line,
                             error.source().begin.column, error.description())};
  }
}

}  // namespace

Result<ConfigValue> parse_toml(std::string_view text, const std::string& source) {
  SHARDMARK_ASSIGN_OR_RETURN(const toml::table table, parsed_table(text, source));
  return converted(table, source);
}

Result<ConfigValue> read_toml_file(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("configuration '{}' is a directory, expected a .toml file", path)};
  }
  if (std::filesystem::exists(path, ignored) && !std::filesystem::is_regular_file(path, ignored)) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("configuration '{}' is no regular file", path)};
  }
  if (const std::uintmax_t bytes = std::filesystem::file_size(path, ignored);
      !ignored && bytes > max_file_bytes) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("configuration '{}' has {} bytes, expected at most {}", path, bytes,
                             max_file_bytes)};
  }
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || (file.peek() != std::ifstream::traits_type::eof() && !(text << file.rdbuf()))) {
    return Error{ErrorCode::not_found,
                 fmt::format("configuration '{}' cannot be read: {}", path, std::strerror(errno))};
  }
  return parse_toml(text.str(), path);
}

ConfigValue parse_override_value(std::string_view text, const ConfigOrigin& origin) {
  // Several lines could hold further keys; no value needs more than one.
  if (text.find('\n') == std::string_view::npos) {
    const auto parsed = parsed_table(fmt::format("value = {}", text), origin.source);
    if (parsed) {
      ConfigValue value = converted(*parsed->get("value"), origin.source);
      value.origin = origin;
      return value;
    }
  }
  return {std::string(text), origin};
}

}  // namespace shardmark::bench
