// SPDX-License-Identifier: Apache-2.0
#include "bench/config/config_document.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "bench/config/config_key_table.hpp"
#include "bench/config/config_keys.hpp"
#include "bench/config/config_lookup.hpp"
#include "bench/config/toml_reader.hpp"
#include "shardmark/core/nearest_name.hpp"

namespace shardmark::bench {
namespace {

constexpr std::size_t max_include_depth = 64;
/// Keys that are tables, of which --set sets one entry as in storage.hints.cb_nodes=4.
constexpr std::array<std::string_view, 3> table_keys = {"storage.hints", "storage.assume",
                                                        "parallel.rules"};
/// Keys whose value is read as a file or folder.
constexpr std::array<std::string_view, 3> path_keys = {"model.safetensors", "model.job",
                                                       "load.from"};

Error refused(const ConfigOrigin& origin, const std::string& what) {
  return {ErrorCode::invalid_argument, fmt::format("{}: {}", to_string(origin), what)};
}

/// A model, job or checkpoint beside the configuration that names it is found from whatever folder
/// a command runs in.
void find_beside(std::string_view key, ConfigValue& value) {
  auto* const text = std::get_if<std::string>(&value.data);
  std::error_code ignored;
  if (std::find(path_keys.begin(), path_keys.end(), key) == path_keys.end() || text == nullptr ||
      text->empty() || std::filesystem::exists(*text, ignored)) {
    return;
  }
  const auto beside = std::filesystem::path(value.origin.source).parent_path() / *text;
  if (std::filesystem::exists(beside, ignored)) {
    *text = beside.string();
  }
}

/// Puts one file after another into a document, pieces before their includer.
class Composer {
 public:
  Composer(ConfigDocument& document, std::span<const std::string> roots)
      : document_(document), roots_(roots) {}

  Status add_file(const std::string& path) {
    std::error_code ignored;
    const auto canonical = std::filesystem::weakly_canonical(path, ignored).string();
    if (std::find(open_.begin(), open_.end(), canonical) != open_.end()) {
      return Error{ErrorCode::invalid_argument,
                   fmt::format("include cycle: {} -> {}", fmt::join(open_, " -> "), canonical)};
    }
    if (open_.size() >= max_include_depth) {
      return Error{ErrorCode::invalid_argument,
                   fmt::format("{}: includes nest more than {} deep", path, max_include_depth)};
    }
    SHARDMARK_ASSIGN_OR_RETURN(const ConfigValue root, read_toml_file(path));
    const auto& table = std::get<ConfigValue::Table>(root.data);
    open_.push_back(canonical);
    for (const auto& [name, value] : table) {
      if (name == "include") {
        SHARDMARK_RETURN_IF_ERROR(add_includes(value, path));
      }
    }
    open_.pop_back();
    for (const auto& [name, value] : table) {
      if (name == "sweep") {
        SHARDMARK_RETURN_IF_ERROR(add_sweep_table("sweep", "", value));
      } else if (name != "include") {
        SHARDMARK_RETURN_IF_ERROR(add_section(name, value));
      }
    }
    return {};
  }

 private:
  Status add_includes(const ConfigValue& value, const std::string& path) {
    const std::string wanted = fmt::format(
        "include: found {}, expected a list of names such as [\"models/x\"]", describe(value));
    const auto* list = std::get_if<ConfigValue::List>(&value.data);
    if (list == nullptr) {
      return refused(value.origin, wanted);
    }
    for (const ConfigValue& element : *list) {
      const auto* piece = std::get_if<std::string>(&element.data);
      if (piece == nullptr || piece->empty()) {
        return refused(value.origin, wanted);
      }
      auto found = find_piece(*piece, path, roots_);
      if (!found) {
        return Error{found.error().code,
                     fmt::format("{}: {}", to_string(element.origin), found.error().message)};
      }
      SHARDMARK_RETURN_IF_ERROR(add_file(*found));
    }
    return {};
  }

  Status add_section(const std::string& name, const ConfigValue& value) {
    const auto sections = config_sections();
    if (std::find(sections.begin(), sections.end(), name) == sections.end()) {
      std::vector<std::string_view> known(sections.begin(), sections.end());
      known.insert(known.end(), {"sweep", "include"});
      return refused(
          value.origin,
          fmt::format("unknown {} '{}', expected {}{}",
                      std::holds_alternative<ConfigValue::Table>(value.data) ? "section" : "key",
                      name, fmt::join(known, ", "), did_you_mean(name, known)));
    }
    const auto* table = std::get_if<ConfigValue::Table>(&value.data);
    if (table == nullptr) {
      return refused(value.origin, fmt::format("{}: found {}, expected a section [{}]", name,
                                               describe(value), name));
    }
    for (const auto& [key, entry] : *table) {
      const std::string full = fmt::format("{}.{}", name, key);
      SHARDMARK_RETURN_IF_ERROR(check_key(full, entry.origin));
      find_beside(full, document_.values[full] = entry);
    }
    return {};
  }

  /// Both `"run.ranks" = [..]` and the nested `run.ranks = [..]`.
  Status add_sweep_table(const std::string& where, const std::string& prefix,
                         const ConfigValue& value) {
    const auto* table = std::get_if<ConfigValue::Table>(&value.data);
    if (table == nullptr) {
      return refused(
          value.origin,
          fmt::format(
              "{}: found {}, expected lists of values by key, as in \"parallel.strategy\" = [\"ddp\", \"fsdp\"]",
              where, describe(value)));
    }
    for (const auto& [name, entry] : *table) {
      const std::string key = prefix.empty() ? name : fmt::format("{}.{}", prefix, name);
      const auto* list = std::get_if<ConfigValue::List>(&entry.data);
      if (list == nullptr && key.find('.') == std::string::npos) {
        SHARDMARK_RETURN_IF_ERROR(add_sweep_table("sweep." + key, key, entry));
        continue;
      }
      SHARDMARK_RETURN_IF_ERROR(check_key(key, entry.origin));
      SHARDMARK_RETURN_IF_ERROR(check_list(key, list, entry));
      for (ConfigValue& element : document_.sweep[key] = *list) {
        find_beside(key, element);
      }
    }
    return {};
  }

  static Status check_list(const std::string& key, const ConfigValue::List* list,
                           const ConfigValue& entry) {
    if (list == nullptr || list->empty()) {
      return refused(entry.origin,
                     fmt::format("sweep of {}: found {}, expected a list of at least one value",
                                 key, describe(entry)));
    }
    std::vector<std::string> texts;
    for (const ConfigValue& value : *list) {
      const std::string text = to_text(value);
      if (std::find(texts.begin(), texts.end(), text) != texts.end()) {
        return refused(entry.origin, fmt::format("sweep of {}: {} is listed twice", key, text));
      }
      texts.push_back(text);
    }
    return {};
  }

  ConfigDocument& document_;
  std::span<const std::string> roots_;
  std::vector<std::string> open_;
};

std::string trimmed(std::string text) {
  text.erase(0, text.find_first_not_of(' '));
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

Status add_override(ConfigDocument& document, const std::string& text) {
  const ConfigOrigin origin = {"--set " + text, 0};
  const std::size_t equals = text.find('=');
  const std::string key = trimmed(text.substr(0, equals));
  if (equals == std::string::npos || key.find('.') == std::string::npos) {
    return refused(origin, "expected section.key=value, as in storage.io=collective");
  }
  const auto written = trimmed(text.substr(equals + 1));
  ConfigValue value = parse_override_value(written, origin);
  for (const std::string_view table_key : table_keys) {
    if (!key.starts_with(table_key) || key.size() <= table_key.size() + 1 ||
        key[table_key.size()] != '.') {
      continue;
    }
    ConfigValue& whole = document.values[std::string(table_key)];
    if (!std::holds_alternative<ConfigValue::Table>(whole.data)) {
      whole.data = ConfigValue::Table();
    }
    whole.origin = origin;
    auto& table = std::get<ConfigValue::Table>(whole.data);
    const std::string name = key.substr(table_key.size() + 1);
    std::erase_if(table, [&](const auto& entry) { return entry.key == name; });
    table.push_back({name, std::move(value)});
    document.sweep.erase(std::string(table_key));
    return {};
  }
  SHARDMARK_RETURN_IF_ERROR(check_key(key, origin));
  document.sweep.erase(key);
  const bool is_one_word = !std::holds_alternative<ConfigValue::List>(value.data) &&
                           !std::holds_alternative<ConfigValue::Table>(value.data) &&
                           !std::holds_alternative<std::string>(value.data);
  if (is_one_word && find_config_key(key)->form == KeyForm::text) {
    value.data = std::string(written);  // a directory may be named as a number or a date
  }
  document.values[key] = std::move(value);
  return {};
}

}  // namespace

Result<ConfigDocument> read_config(const std::string& config,
                                   std::span<const std::string> overrides,
                                   std::span<const std::string> roots) {
  ConfigDocument document;
  SHARDMARK_ASSIGN_OR_RETURN(document.path, find_config(config, roots));
  SHARDMARK_RETURN_IF_ERROR(Composer(document, roots).add_file(document.path));
  for (const std::string& text : overrides) {
    SHARDMARK_RETURN_IF_ERROR(add_override(document, text));
  }
  return document;
}

Result<ConfigDocument> read_config(const std::string& config,
                                   std::span<const std::string> overrides) {
  return read_config(config, overrides, config_roots());
}

}  // namespace shardmark::bench
