// SPDX-License-Identifier: Apache-2.0
#include "bench/config/toml_reader.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

// The only place that sees toml++: slow to compile, and it throws.
#include <toml++/toml.h>

namespace shardmark::bench {
namespace {

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

Result<toml::table> parsed_table(std::string_view text, const std::string& source) {
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
