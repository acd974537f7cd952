// SPDX-License-Identifier: Apache-2.0
#include "bench/config/resolve.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "bench/config/config_keys.hpp"
#include "bench/config/played_ranks.hpp"
#include "shardmark/core/checksum.hpp"

namespace shardmark::bench {
namespace {

constexpr std::size_t max_cases = 10000;

Error missing(const ConfigDocument& document, std::string_view key, std::string_view expected) {
  return {ErrorCode::invalid_argument,
          fmt::format("{}: {} is missing and has no default, expected {}", document.path, key,
                      expected)};
}

/// What is written for the model that a job replaces, its size say, is not the job's. What is
/// written beside model.job or on the command line is meant for it, and refused by the workload.
void take_job(const ConfigDocument& document,
              const std::map<std::string, const ConfigValue*>& overlay, Config& config) {
  config.model.name = std::filesystem::path(config.model.job).stem();
  config.parallel = {};
  config.parallel.strategy = "job";
  const auto job = document.values.find("model.job");
  const auto is_of_a_model = [&](const std::string& key) {
    const auto written = document.values.find(key);
    return job != document.values.end() && written != document.values.end() &&
           !overlay.contains(key) && !written->second.origin.source.starts_with("--set ") &&
           written->second.origin.source != job->second.origin.source;
  };
  if (is_of_a_model("model.scale")) {
    config.model.scale.reset();
  }
  if (is_of_a_model("model.dtype")) {
    config.model.dtype.reset();
  }
}

/// `overlay` replaces values of the document.
Result<Config> resolve_with(const ConfigDocument& document,
                            const std::map<std::string, const ConfigValue*>& overlay) {
  Config config;
  for (const auto& [key, value] : document.values) {
    if (!overlay.contains(key)) {
      SHARDMARK_RETURN_IF_ERROR(assign(config, key, value));
      config.origins.by_key[key] = to_string(value.origin);
    }
  }
  for (const auto& [key, value] : overlay) {
    SHARDMARK_RETURN_IF_ERROR(assign(config, key, *value));
    config.origins.by_key[key] = to_string(value->origin);
  }
  const auto overlaid = overlay.find("run.play");
  const auto written = document.values.find("run.play");
  const ConfigValue* const play = overlaid != overlay.end()          ? overlaid->second
                                  : written != document.values.end() ? &written->second
                                                                     : nullptr;
  SHARDMARK_RETURN_IF_ERROR(check_play(config, play));
  config.run.play_from.text = play == nullptr ? "" : to_string(play->origin) + ": ";
  if (!config.model.safetensors.empty()) {
    config.model.name = std::filesystem::path(config.model.safetensors).stem();
  }
  if (!config.model.job.empty()) {
    take_job(document, overlay, config);
  }
  if (config.model.name.empty()) {
    return missing(document, "model.name",
                   "a model of the catalog (see 'shardmark models'), or model.safetensors");
  }
  if (config.parallel.strategy.empty()) {
    return missing(document, "parallel.strategy", "a sharding strategy such as \"fsdp\"");
  }
  return config;
}

/// Lines of "section.key" and value under their section headings.
std::string sections_text(const std::vector<std::pair<std::string_view, std::string>>& lines) {
  std::string text;
  std::string_view section;
  for (const auto& [key, value] : lines) {
    if (const auto name = key.substr(0, key.find('.')); name != section) {
      section = name;
      text += fmt::format("{}[{}]\n", text.empty() ? "" : "\n", section);
    }
    text += fmt::format("{} = {}\n", key.substr(key.find('.') + 1), value);
  }
  return text;
}

}  // namespace

Result<Config> resolve(const ConfigDocument& document) {
  return resolve_with(document, {});
}

Result<std::vector<SweepCase>> resolve_sweep(const ConfigDocument& document) {
  std::size_t num_cases = 1;
  for (const auto& [key, list] : document.sweep) {
    num_cases *= list.size();
    if (num_cases > max_cases) {
      return Error{
          ErrorCode::invalid_argument,
          fmt::format("{}: the sweep has more than {} cases, expected fewer values for some key",
                      document.path, max_cases)};
    }
  }
  std::vector<SweepCase> cases;
  for (std::size_t i = 0; i < num_cases; ++i) {
    std::map<std::string, const ConfigValue*> overlay;
    std::size_t rest = i;
    for (auto it = document.sweep.rbegin(); it != document.sweep.rend(); ++it) {
      overlay[it->first] = &it->second[rest % it->second.size()];
      rest /= it->second.size();
    }
    SweepCase point;
    SHARDMARK_ASSIGN_OR_RETURN(point.config, resolve_with(document, overlay));
    for (const auto& [key, value] : overlay) {
      point.varied.emplace_back(key, value_text(point.config, key));
    }
    cases.push_back(std::move(point));
  }
  return cases;
}

std::string config_text(const Config& config) {
  std::vector<std::pair<std::string_view, std::string>> lines;
  for (const std::string_view key : config_keys()) {
    if (std::string text = value_text(config, key); !text.empty()) {
      lines.emplace_back(key, std::move(text));
    }
  }
  return sections_text(lines);
}

std::string config_text(std::span<const SweepCase> cases) {
  if (cases.empty()) {
    return {};
  }
  std::string text = config_text(cases.front().config);
  const auto& varied = cases.front().varied;
  if (!varied.empty()) {
    text += "\n[sweep]\n";
  }
  for (std::size_t k = 0; k < varied.size(); ++k) {
    std::vector<std::string> values;
    for (const SweepCase& point : cases) {
      if (std::find(values.begin(), values.end(), point.varied[k].second) == values.end()) {
        values.push_back(point.varied[k].second);
      }
    }
    text += fmt::format("\"{}\" = [{}]\n", varied[k].first, fmt::join(values, ", "));
  }
  return text;
}

std::string config_hash(const std::string& text) {
  return fmt::format("{:016x}", xxh3(std::as_bytes(std::span(text))));
}

}  // namespace shardmark::bench
