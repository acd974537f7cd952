// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/texts/config_reference.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "bench/config/config_key_table.hpp"
#include "bench/config/config_keys.hpp"
#include "bench/config/key_expectation.hpp"
#include "shardmark/workload/catalog.hpp"
#include "shardmark/workload/strategy.hpp"

namespace shardmark::bench {
namespace {

std::string_view type_of(KeyForm form) {
  switch (form) {
    case KeyForm::boolean:
      return "boolean";
    case KeyForm::integer:
    case KeyForm::degree:
      return "integer";
    case KeyForm::share:
      return "number";
    case KeyForm::choice_list:
      return "list of strings";
    case KeyForm::byte_size:
    case KeyForm::auto_size:
      return "integer or string";
    case KeyForm::auto_seconds:
      return "number or string";
    case KeyForm::hints:
    case KeyForm::traits:
    case KeyForm::rules:
      return "table";
    case KeyForm::text:
    case KeyForm::choice:
    case KeyForm::dtype:
    case KeyForm::rank_list:
      return "string";
  }
  return {};
}

/// Closed sets that the key table leaves to other layers are named here.
std::vector<std::string> words_of(const ConfigKey& key) {
  if (key.name == "model.name") {
    return {model_names().begin(), model_names().end()};
  }
  if (key.name == "parallel.strategy") {
    return {strategy_names().begin(), strategy_names().end()};
  }
  if (key.name == "parallel.order") {
    return {"tp-dp-pp", "tp-pp-dp"};
  }
  switch (key.form) {
    case KeyForm::boolean:
      return {"true", "false"};
    case KeyForm::auto_size:
    case KeyForm::auto_seconds:
      return {"auto"};
    case KeyForm::choice:
      return {key.choices.begin(), key.choices.end()};
    case KeyForm::dtype: {
      std::vector<std::string> names;
      for (int i = 0; i < num_dtypes; ++i) {
        names.emplace_back(dtype_name(static_cast<Dtype>(i)));
      }
      return names;
    }
    default:
      return {};
  }
}

std::string takes_of(const ConfigKey& key, const std::vector<std::string>& words) {
  switch (key.form) {
    case KeyForm::choice:
      return fmt::format("Takes {}", fmt::join(words, ", "));
    case KeyForm::choice_list:
      return fmt::format("Takes one or more of {}", fmt::join(key.choices, ", "));
    case KeyForm::auto_size:
      return fmt::format("Takes auto, or bytes from {}", key.minimum);
    case KeyForm::auto_seconds:
      return "Takes auto, or seconds above 0";
    case KeyForm::text:
      return "Takes " + (words.empty() ? expectation(key) : fmt::to_string(fmt::join(words, ", ")));
    default:
      return "Takes " + expectation(key);
  }
}

std::string fallback_of(const ConfigKey& key) {
  const std::string text = value_text(Config{}, key.name);
  const bool may_be_auto = key.form == KeyForm::auto_size || key.form == KeyForm::auto_seconds;
  if (may_be_auto && text.empty()) {
    return "\"auto\"";
  }
  const bool is_auto = !key.auto_means.empty() && text == fmt::format("\"{}\"", key.auto_means);
  return is_auto ? fmt::format("\"auto\", which is {}", text) : text;
}

}  // namespace

std::vector<KeyReference> config_reference() {
  std::vector<KeyReference> keys;
  for (const ConfigKey& key : config_key_table()) {
    std::vector<std::string> words = words_of(key);
    std::string takes = takes_of(key, words);
    keys.push_back({key.name, key.about, std::string(type_of(key.form)), std::move(takes),
                    fallback_of(key), std::move(words)});
  }
  return keys;
}

}  // namespace shardmark::bench
