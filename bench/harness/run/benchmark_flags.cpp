// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/run/benchmark_flags.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>

namespace shardmark::bench {
namespace {

struct RefusedFlag {
  std::string_view name;
  std::string_view reason;
};

constexpr std::array<RefusedFlag, 8> refused_flags = {{
    {"min_time", "every repetition runs its operation once, so that all ranks do the same number"},
    {"min_warmup_time", "warm-up is counted in rounds: --set run.warmup=N"},
    {"repetitions", "the harness registers each repetition itself: --set run.repetitions=N"},
    {"enable_random_interleaving",
     "each rank would shuffle differently; runs are shuffled by a common seed already"},
    {"report_aggregates_only", "every sample is kept; medians are computed from samples.json"},
    {"display_aggregates_only", "every sample is kept; medians are computed from samples.json"},
    {"perf_counters", "counters of one process say nothing of a collective operation"},
    {"dry_run", "use `shardmark plan`"},
}};

constexpr std::array<std::string_view, 10> allowed_flags = {
    "filter", "format",           "out",       "out_format", "list_tests",
    "color",  "counters_tabular", "time_unit", "context",    "v"};

std::string allowed_flag_names() {
  return fmt::format("--benchmark_{{{}}}", fmt::join(allowed_flags, ","));
}

std::string environment_name(std::string_view flag) {
  std::string name = "BENCHMARK_";
  for (const char c : flag) {
    name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return name;
}

Error refusal(std::string_view given, std::string_view reason) {
  return {ErrorCode::invalid_argument, fmt::format("{}: refused: {}", given, reason)};
}

Result<bool> parse_bool(std::string_view given, std::string_view value) {
  for (const std::string_view yes : {"", "1", "t", "true", "y", "yes", "on"}) {
    if (value == yes) {
      return true;
    }
  }
  for (const std::string_view no : {"0", "f", "false", "n", "no", "off"}) {
    if (value == no) {
      return false;
    }
  }
  return Error{ErrorCode::invalid_argument,
               fmt::format("{}: expected true or false, found '{}'", given, value)};
}

Status expect_one_of(std::string_view given, std::string_view value,
                     std::span<const std::string_view> values) {
  if (std::ranges::find(values, value) != values.end()) {
    return {};
  }
  if (value == "csv") {
    return refusal(given, "its CSV, deprecated there, aborts where cases differ in counters");
  }
  return Error{ErrorCode::invalid_argument,
               fmt::format("{}: expected {}, found '{}'", given, fmt::join(values, ", "), value)};
}

constexpr std::array<std::string_view, 2> formats = {"console", "json"};
constexpr std::array<std::string_view, 4> time_units = {"ns", "us", "ms", "s"};

Status set_flag(BenchmarkFlags& flags, std::string_view given, std::string_view name,
                std::string_view value) {
  if (name == "filter") {
    flags.filter = value == "all" ? "" : std::string(value);
    return {};
  }
  if (name == "list_tests") {
    SHARDMARK_ASSIGN_OR_RETURN(flags.list_tests, parse_bool(given, value));
    return {};
  }
  if (name == "format") {
    SHARDMARK_RETURN_IF_ERROR(expect_one_of(given, value, formats));
    flags.format = value;
  } else if (name == "out_format") {
    SHARDMARK_RETURN_IF_ERROR(expect_one_of(given, value, formats));
  } else if (name == "time_unit") {
    SHARDMARK_RETURN_IF_ERROR(expect_one_of(given, value, time_units));
  } else if (name == "counters_tabular") {
    SHARDMARK_ASSIGN_OR_RETURN([[maybe_unused]] const bool tabular, parse_bool(given, value));
  }
  flags.for_root.push_back(name == "v" ? fmt::format("--v={}", value)
                                       : fmt::format("--benchmark_{}={}", name, value));
  return {};
}

/// Google Benchmark takes defaults of its flags from there, on each rank for itself.
Status read_environment(BenchmarkFlags& flags) {
  for (const auto& [flag, reason] : refused_flags) {
    if (const std::string name = environment_name(flag); std::getenv(name.c_str()) != nullptr) {
      return refusal("environment variable " + name, reason);
    }
  }
  for (const std::string_view flag : allowed_flags) {
    const std::string name = environment_name(flag);
    const char* value = std::getenv(name.c_str());
    if (value != nullptr && flag != "v") {
      SHARDMARK_RETURN_IF_ERROR(set_flag(flags, "environment variable " + name, flag, value));
    }
  }
  return {};
}

}  // namespace

Result<BenchmarkFlags> parse_benchmark_flags(std::span<const std::string> arguments) {
  BenchmarkFlags flags;
  SHARDMARK_RETURN_IF_ERROR(read_environment(flags));
  for (const std::string& argument : arguments) {
    constexpr std::string_view prefix = "--benchmark_";
    const std::size_t equals = argument.find('=');
    const std::string given = argument.substr(0, equals);
    const std::string_view value =
        equals == std::string::npos ? "" : std::string_view(argument).substr(equals + 1);
    const std::string_view name = given.starts_with(prefix)
                                      ? std::string_view(given).substr(prefix.size())
                                      : std::string_view();
    for (const auto& [refused, reason] : refused_flags) {
      if (name == refused) {
        return refusal(given, reason);
      }
    }
    if (std::ranges::find(allowed_flags, name) == allowed_flags.end()) {
      return Error{ErrorCode::invalid_argument,
                   fmt::format("{}: unknown flag; there are {}", given, allowed_flag_names())};
    }
    SHARDMARK_RETURN_IF_ERROR(set_flag(flags, given, name, value));
  }
  return flags;
}

}  // namespace shardmark::bench
