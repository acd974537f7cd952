// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/commands/storage_model.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <variant>
#include <vector>

#include "bench/config/byte_size.hpp"
#include "bench/config/toml_reader.hpp"
#include "shardmark/core/nearest_name.hpp"

namespace shardmark::bench {
namespace {

constexpr double most = 1e18;

Error wrong(const ConfigOrigin& origin, const std::string& key, const ConfigValue& value,
            const std::string& expected) {
  return {ErrorCode::invalid_argument,
          fmt::format("{}: {}: found {}, expected {}", to_string(origin), key, describe(value),
                      expected)};
}

bool is_rate(std::string_view key) {
  return key.ends_with("_rate");
}

std::optional<double> number(const ConfigValue& value, bool bytes) {
  if (const auto* real = std::get_if<double>(&value.data)) {
    return *real;
  }
  if (const auto* whole = std::get_if<std::int64_t>(&value.data)) {
    return static_cast<double>(*whole);
  }
  const auto* text = std::get_if<std::string>(&value.data);
  if (text != nullptr && bytes) {
    if (const auto size = parse_byte_size(*text)) {
      return static_cast<double>(*size);
    }
  }
  return std::nullopt;
}

Status assign_parameter(StorageModel& model, const StorageParameter& parameter,
                        const ConfigValue& value) {
  const std::string key(parameter.key);
  const auto found = number(value, is_rate(key));
  const bool may_be_zero = key == "latency" || key == "fixed";
  if (!found || !std::isfinite(*found) || *found > most ||
      (may_be_zero ? *found < 0 : *found <= 0)) {
    return wrong(value.origin, key, value,
                 is_rate(key)  ? "bytes a second, a number above 0 or like \"2GiB\""
                 : may_be_zero ? "seconds, a number from 0"
                               : "how many a second, a number above 0");
  }
  model.*parameter.value = *found;
  return {};
}

Status assign_errors(StorageModel& model, const ConfigValue& value) {
  const auto* table = std::get_if<ConfigValue::Table>(&value.data);
  if (table == nullptr) {
    return wrong(value.origin, "error", value, "a section [error] with shares by key");
  }
  for (const auto& [key, share] : *table) {
    const bool known = std::ranges::any_of(
        storage_parameters, [&](const StorageParameter& each) { return each.key == key; });
    const auto found = number(share, false);
    if (!known || !found || !(*found >= 0 && *found < 10)) {
      return wrong(share.origin, "error." + key, share,
                   known ? "a relative standard error from 0, as in 0.05"
                         : "a key of the storage that has an error");
    }
    model.errors[key] = *found;
  }
  return {};
}

Status assign(StorageModel& model, const std::string& key, const ConfigValue& value) {
  std::vector<std::string_view> known = {"ranks_per_node", "spread", "samples", "error"};
  for (const StorageParameter& parameter : storage_parameters) {
    if (parameter.key == key) {
      return assign_parameter(model, parameter, value);
    }
    known.push_back(parameter.key);
  }
  if (key == "error") {
    return assign_errors(model, value);
  }
  const auto found = number(value, false);
  const auto* whole = std::get_if<std::int64_t>(&value.data);
  if (key == "spread") {
    if (!found || !(*found >= 0 && *found < 10)) {
      return wrong(value.origin, key, value, "a relative standard deviation from 0, as in 0.1");
    }
    model.spread = *found;
    return {};
  }
  if (key == "ranks_per_node" || key == "samples") {
    if (whole == nullptr || *whole < 1 || *whole > (std::int64_t{1} << 24)) {
      return wrong(value.origin, key, value, "an integer from 1");
    }
    (key == "samples" ? model.samples.emplace() : model.ranks_per_node) = *whole;
    return {};
  }
  return Error{ErrorCode::invalid_argument,
               fmt::format("{}: unknown key '{}', expected one of {}{}", to_string(value.origin),
                           key, fmt::join(known, ", "), did_you_mean(key, known))};
}

Result<StorageModel> model_of(const ConfigValue& root, const std::string& source) {
  StorageModel model;
  model.source = source;
  for (const auto& [key, value] : std::get<ConfigValue::Table>(root.data)) {
    SHARDMARK_RETURN_IF_ERROR(assign(model, key, value));
  }
  if (model.node_rate <= 0) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("{}: node_rate is missing, expected the bytes a second that one node "
                             "saves, as in node_rate = \"2GiB\"",
                             source)};
  }
  if (model.load_node_rate <= 0) {
    model.load_node_rate = model.node_rate;
    if (model.load_total_rate == StorageModel::unlimited) {
      model.load_total_rate = model.total_rate;
    }
  }
  return model;
}

}  // namespace

Result<StorageModel> read_storage_model(const std::string& path) {
  SHARDMARK_ASSIGN_OR_RETURN(const ConfigValue root, read_toml_file(path));
  return model_of(root, path);
}

Result<StorageModel> parse_storage_model(std::string_view text, const std::string& source) {
  SHARDMARK_ASSIGN_OR_RETURN(const ConfigValue root, parse_toml(text, source));
  return model_of(root, source);
}

}  // namespace shardmark::bench
