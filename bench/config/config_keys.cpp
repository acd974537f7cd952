// SPDX-License-Identifier: Apache-2.0
#include "bench/config/config_keys.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "bench/config/byte_size.hpp"
#include "bench/config/config_key_table.hpp"
#include "bench/config/key_expectation.hpp"
#include "shardmark/core/nearest_name.hpp"
#include "shardmark/plan/merge/played_world.hpp"
#include "shardmark/protocol/placement.hpp"
#include "shardmark/storage/format/file_system_traits.hpp"

namespace shardmark::bench {
namespace {

using Names = std::vector<std::string_view>;

std::string place(const ConfigKey& key, const ConfigValue& value) {
  return fmt::format("{}: {}", to_string(value.origin), key.name);
}

/// `meant` is the text to look up among the key's names, if it has names.
Error wrong(const ConfigKey& key, const ConfigValue& value, std::string_view meant = {}) {
  return {ErrorCode::invalid_argument,
          fmt::format("{}: found {}, expected {}{}", place(key, value), describe(value),
                      expectation(key),
                      meant.empty() ? std::string() : did_you_mean(meant, key.choices))};
}

constexpr std::int64_t max_groups = std::int64_t{1} << 20;

/// "groups:4" is the choice "groups:M".
bool is_counted(std::string_view choice, std::string_view name) {
  if (!choice.ends_with(":M") || !name.starts_with(choice.substr(0, choice.size() - 1))) {
    return false;
  }
  const std::string_view digits = name.substr(choice.size() - 1);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return error == std::errc() && end == digits.data() + digits.size() && digits.front() != '0' &&
         number >= 1 && number <= max_groups;
}

bool is_one_of(const Names& choices, std::string_view name) {
  return std::any_of(choices.begin(), choices.end(), [&](std::string_view choice) {
    return is_counted(choice, name) || (name == choice && !choice.ends_with(":M"));
  });
}

Result<std::string> chosen(const ConfigKey& key, const ConfigValue& value,
                           const ConfigValue& element) {
  const auto* name = std::get_if<std::string>(&element.data);
  if (name == nullptr) {
    return wrong(key, value);
  }
  if (is_one_of(key.choices, *name)) {
    return *name == "auto" && !key.auto_means.empty() ? std::string(key.auto_means) : *name;
  }
  return wrong(key, value, *name);
}

Status assign_list(const ConfigKey& key, const ConfigValue& value,
                   std::vector<std::string>& target) {
  const auto* list = std::get_if<ConfigValue::List>(&value.data);
  if (list == nullptr || list->empty()) {
    return wrong(key, value);
  }
  std::vector<std::string> names;
  for (const ConfigValue& element : *list) {
    SHARDMARK_ASSIGN_OR_RETURN(std::string name, chosen(key, value, element));
    if (std::find(names.begin(), names.end(), name) != names.end()) {
      return wrong(key, value);
    }
    names.push_back(std::move(name));
  }
  target = std::move(names);
  return {};
}

Status assign_table(const ConfigKey& key, const ConfigValue& value,
                    std::map<std::string, std::string>& target) {
  const auto* table = std::get_if<ConfigValue::Table>(&value.data);
  if (table == nullptr) {
    return wrong(key, value);
  }
  target.clear();
  for (const auto& [name, hint] : *table) {
    if (const auto* text = std::get_if<std::string>(&hint.data)) {
      target[name] = *text;
    } else if (std::holds_alternative<std::int64_t>(hint.data) ||
               std::holds_alternative<bool>(hint.data)) {
      target[name] = to_text(hint);
    } else {
      return wrong(key, value);
    }
  }
  return {};
}

Status assign_traits(const ConfigKey& key, const ConfigValue& value,
                     std::map<std::string, std::string>& target) {
  SHARDMARK_RETURN_IF_ERROR(assign_table(key, value, target));
  FileSystemTraits traits;
  const Status known = assume(traits, target);
  return known ? Status()
               : Status(Error{known.error().code,
                              fmt::format("{}: {}", place(key, value), known.error().message)});
}

Status assign_rules(const ConfigKey& key, const ConfigValue& value,
                    std::map<std::string, RulePlacements>& target) {
  const auto* table = std::get_if<ConfigValue::Table>(&value.data);
  if (table == nullptr) {
    return wrong(key, value);
  }
  target.clear();
  for (const auto& [pattern, placements] : *table) {
    const auto* text = std::get_if<std::string>(&placements.data);
    const auto parsed = text == nullptr ? Result<std::vector<Placement>>(std::vector<Placement>())
                                        : parse_placements(*text);
    if (!parsed || parsed->empty() ||
        std::ranges::find(*parsed, PlacementKind::partial, &Placement::kind) != parsed->end()) {
      return Error{
          ErrorCode::invalid_argument,
          fmt::format("{}: {}: \"{}\": found {}, expected S(d), R or SS(d,k), one alone or "
                      "one for each mesh dimension as in \"R,S(0)\"",
                      to_string(placements.origin), key.name, pattern, describe(placements))};
    }
    target[pattern] = {*text, to_string(placements.origin)};
  }
  return {};
}

/// Integers, degrees and byte sizes, checked against their range.
Result<std::int64_t> number(const ConfigKey& key, const ConfigValue& value) {
  std::optional<std::int64_t> found;
  if (const auto* integer = std::get_if<std::int64_t>(&value.data)) {
    found = *integer;
  } else if (const auto* text = std::get_if<std::string>(&value.data);
             text != nullptr &&
             (key.form == KeyForm::byte_size || key.form == KeyForm::auto_size)) {
    found = parse_byte_size(*text);
  }
  const bool in_range =
      found && (key.form == KeyForm::degree ? *found == -1 || *found >= 1 : *found >= key.minimum);
  if (!in_range || *found > key.maximum || *found % key.multiple_of != 0) {
    return wrong(key, value);
  }
  return *found;
}

/// 0 for what is no number.
double real_number(const ConfigValue& value) {
  const auto* integer = std::get_if<std::int64_t>(&value.data);
  const auto* real = std::get_if<double>(&value.data);
  return real != nullptr ? *real : integer != nullptr ? static_cast<double>(*integer) : 0;
}

Status assign_seconds(const ConfigKey& key, const ConfigValue& value,
                      std::optional<double>& target) {
  // What is added to a clock of nanoseconds must stay far below its end.
  constexpr double most_seconds = 1e9;
  const auto* text = std::get_if<std::string>(&value.data);
  const double seconds = real_number(value);
  if (text != nullptr && *text == "auto") {
    target.reset();
  } else if (seconds > 0 && seconds <= most_seconds) {
    target = seconds;
  } else {
    return wrong(key, value);
  }
  return {};
}

/// A single rank may be given as an integer.
Status assign_ranks(const ConfigKey& key, const ConfigValue& value, std::string& target) {
  const auto* text = std::get_if<std::string>(&value.data);
  const auto* number = std::get_if<std::int64_t>(&value.data);
  if (text == nullptr && number == nullptr) {
    return wrong(key, value);
  }
  const auto ranks = parse_ranks(text != nullptr ? *text : fmt::format("{}", *number));
  if (!ranks) {
    Error error = wrong(key, value);
    error.message += ": " + ranks.error().message;
    return error;
  }
  target = ranks_text(*ranks);
  return {};
}

Status assign_scalar(const ConfigKey& key, const ConfigValue& value, const KeyTarget& target) {
  const auto* text = std::get_if<std::string>(&value.data);
  if (key.form == KeyForm::boolean) {
    const auto* flag = std::get_if<bool>(&value.data);
    if (flag == nullptr) {
      return wrong(key, value);
    }
    *std::get<bool*>(target) = *flag;
  } else if (key.form == KeyForm::text) {
    if (text == nullptr || text->empty()) {
      return wrong(key, value);
    }
    *std::get<std::string*>(target) = *text;
  } else if (key.form == KeyForm::share) {
    const double share = real_number(value);
    if (!(share > 0 && share <= 1)) {
      return wrong(key, value);
    }
    *std::get<std::optional<double>*>(target) = share;
  } else if (key.form == KeyForm::auto_seconds) {
    return assign_seconds(key, value, *std::get<std::optional<double>*>(target));
  } else {  // dtype
    const auto dtype = text == nullptr ? std::nullopt : dtype_from_name(*text);
    if (!dtype) {
      Names names;
      for (int i = 0; i < num_dtypes; ++i) {
        names.push_back(dtype_name(static_cast<Dtype>(i)));
      }
      Error error = wrong(key, value);
      if (text != nullptr && is_refused_dtype(*text)) {
        error.message += "; PyTorch's quantized and bit types have no elements to store";
      } else if (text != nullptr) {
        error.message += did_you_mean(*text, names);
      }
      return error;
    }
    *std::get<std::optional<Dtype>*>(target) = *dtype;
  }
  return {};
}

/// Hints that act when MPI-IO makes a file do nothing here: every file is made before, without it.
Status assign_hints(const ConfigKey& key, const ConfigValue& value,
                    std::map<std::string, std::string>& hints) {
  SHARDMARK_RETURN_IF_ERROR(assign_table(key, value, hints));
  constexpr std::array<std::string_view, 4> late = {"start_iodevice", "striping_factor",
                                                    "striping_unit", "romio_lustre_start_iodevice"};
  for (const std::string_view hint : late) {
    if (hints.contains(std::string(hint))) {
      return Error{
          ErrorCode::invalid_argument,
          fmt::format("{}: storage.hints.{} cannot act, since files are made before MPI-IO "
                      "opens them; expected storage.stripe_count and storage.stripe_size, or "
                      "the stripes to be set on the directory (lfs setstripe)",
                      to_string(value.origin), hint)};
    }
  }
  return {};
}

struct TargetText {
  std::string operator()(const bool* value) const { return *value ? "true" : "false"; }
  std::string operator()(const std::int64_t* value) const { return fmt::format("{}", *value); }
  std::string operator()(const std::string* value) const {
    return value->empty() ? std::string() : quoted(*value);
  }
  std::string operator()(const std::optional<std::int64_t>* value) const {
    return *value ? fmt::format("{}", **value) : std::string();
  }
  std::string operator()(const std::optional<double>* value) const {
    return *value ? to_text({**value, {}}) : std::string();
  }
  std::string operator()(const std::optional<Dtype>* value) const {
    return *value ? fmt::format("\"{}\"", dtype_name(**value)) : std::string();
  }
  std::string operator()(const std::vector<std::string>* value) const {
    ConfigValue::List list;
    for (const std::string& name : *value) {
      list.push_back({name, {}});
    }
    return to_text({std::move(list), {}});
  }
  std::string operator()(const std::map<std::string, std::string>* value) const {
    ConfigValue::Table table;
    for (const auto& [name, text] : *value) {
      table.push_back({name, ConfigValue{text, {}}});
    }
    return to_text({std::move(table), {}});
  }
  std::string operator()(const std::map<std::string, RulePlacements>* value) const {
    ConfigValue::Table table;
    for (const auto& [pattern, rule] : *value) {
      table.push_back({pattern, ConfigValue{rule.placements, {}}});
    }
    return table.empty() ? std::string() : to_text({std::move(table), {}});
  }
};

}  // namespace

std::vector<std::string_view> config_keys() {
  Names names;
  for (const ConfigKey& key : config_key_table()) {
    names.push_back(key.name);
  }
  return names;
}

std::vector<std::string_view> config_sections() {
  Names sections;
  for (const ConfigKey& key : config_key_table()) {
    const std::string_view section = key.name.substr(0, key.name.find('.'));
    if (sections.empty() || sections.back() != section) {
      sections.push_back(section);
    }
  }
  return sections;
}

Status check_key(const std::string& key, const ConfigOrigin& origin) {
  if (find_config_key(key) != nullptr) {
    return {};
  }
  const std::string section = key.substr(0, key.find('.') + 1);
  const std::string last = key.substr(key.find('.') + 1);
  Names siblings;  // without the section
  std::string hint;
  for (const std::string_view known : config_keys()) {
    if (!section.empty() && known.starts_with(section)) {
      siblings.push_back(known.substr(section.size()));
    }
  }
  if (const auto nearest = nearest_name(last, siblings); !nearest.empty()) {
    hint = fmt::format("; did you mean '{}{}'?", section, nearest);
  }
  // The right key in the wrong section is nearer than its letters say.
  for (const std::string_view known : config_keys()) {
    if (hint.empty() && known.substr(known.find('.') + 1) == last) {
      hint = fmt::format("; did you mean '{}'?", known);
    }
  }
  if (hint.empty()) {
    hint = did_you_mean(key, config_keys());
  }
  const std::string expected =
      siblings.empty() ? fmt::format("a section of {}", fmt::join(config_sections(), ", "))
                       : fmt::format("one of {}", fmt::join(siblings, ", "));
  return Error{ErrorCode::invalid_argument, fmt::format("{}: unknown key '{}', expected {}{}",
                                                        to_string(origin), key, expected, hint)};
}

Status assign(Config& config, const std::string& name, const ConfigValue& value) {
  SHARDMARK_RETURN_IF_ERROR(check_key(name, value.origin));
  const ConfigKey& key = *find_config_key(name);
  const KeyTarget target = key.target(config);
  switch (key.form) {
    case KeyForm::choice: {
      SHARDMARK_ASSIGN_OR_RETURN(*std::get<std::string*>(target), chosen(key, value, value));
      return {};
    }
    case KeyForm::choice_list:
      return assign_list(key, value, *std::get<std::vector<std::string>*>(target));
    case KeyForm::hints:
      return assign_hints(key, value, *std::get<std::map<std::string, std::string>*>(target));
    case KeyForm::traits:
      return assign_traits(key, value, *std::get<std::map<std::string, std::string>*>(target));
    case KeyForm::rank_list:
      return assign_ranks(key, value, *std::get<std::string*>(target));
    case KeyForm::rules:
      return assign_rules(key, value, *std::get<std::map<std::string, RulePlacements>*>(target));
    case KeyForm::integer:
    case KeyForm::byte_size: {
      SHARDMARK_ASSIGN_OR_RETURN(*std::get<std::int64_t*>(target), number(key, value));
      return {};
    }
    case KeyForm::degree: {
      SHARDMARK_ASSIGN_OR_RETURN(*std::get<std::optional<std::int64_t>*>(target),
                                 number(key, value));
      return {};
    }
    case KeyForm::auto_size: {
      const auto* text = std::get_if<std::string>(&value.data);
      if (text != nullptr && *text == "auto") {
        std::get<std::optional<std::int64_t>*>(target)->reset();
        return {};
      }
      SHARDMARK_ASSIGN_OR_RETURN(*std::get<std::optional<std::int64_t>*>(target),
                                 number(key, value));
      return {};
    }
    default:
      return assign_scalar(key, value, target);
  }
}

std::string value_text(const Config& config, std::string_view name) {
  const ConfigKey* key = find_config_key(name);
  if (key == nullptr) {
    return {};
  }
  // Targets are mutable because assign() shares them; nothing is written here.
  return std::visit(TargetText{}, key->target(const_cast<Config&>(config)));
}

}  // namespace shardmark::bench
