// SPDX-License-Identifier: Apache-2.0
#include "bench/suite/earlier_results.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <vector>

namespace shardmark::bench {
namespace {

/// What tells runs apart, taken out of samples.json without building the document: that may hold
/// thousands of samples, and the context stands first.
class ContextReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::optional<std::string> config;
  std::optional<std::int64_t> ranks;

  bool start_object(std::size_t) override { return enter(); }
  bool end_object() override { return leave(); }
  bool start_array(std::size_t) override { return enter(); }
  bool end_array() override { return leave(); }
  bool key(std::string& text) override {
    key_ = text;
    in_context_ = depth_ == 1 ? text == "context" : in_context_;
    return true;
  }
  bool string(std::string& text) override {
    if (depth_ == 2 && in_context_ && key_ == "config") {
      config = text;
    }
    return more_to_come();
  }
  bool number_unsigned(number_unsigned_t number) override {
    if (depth_ == 2 && in_context_ && key_ == "ranks") {
      ranks = static_cast<std::int64_t>(number);
    }
    return more_to_come();
  }
  bool number_integer(number_integer_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception&) override {
    return false;
  }

 private:
  bool enter() {
    ++depth_;
    return true;
  }
  bool leave() {
    --depth_;
    return true;
  }
  bool more_to_come() const { return !config || !ranks; }

  int depth_ = 0;
  std::string key_;
  bool in_context_ = false;
};

/// The lines that say what is measured.
std::vector<std::string> measured_lines(const std::string& config) {
  std::vector<std::string> lines;
  std::istringstream text(config);
  for (std::string line; std::getline(text, line);) {
    const bool measures =
        std::ranges::none_of(std::array{"directory = ", "deadline = ", "late = "},
                             [&](const char* beginning) { return line.starts_with(beginning); });
    if (!line.empty() && measures) {
      lines.push_back(line);
    }
  }
  return lines;
}

std::string line_at(const std::vector<std::string>& lines, std::ptrdiff_t at) {
  return at < std::ssize(lines) ? lines[static_cast<std::size_t>(at)] : "nothing more";
}

}  // namespace

Status check_earlier_results(const std::string& directory, const RunContext& context) {
  const std::string path = directory + "/samples.json";
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    return {};
  }
  const auto refused = [&](const std::string& why) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("--out: {} {}; give another folder, or --overwrite", path, why)};
  };
  ContextReader reader;
  if (std::filesystem::is_regular_file(path, ignored)) {
    std::ifstream file(path, std::ios::binary);
    nlohmann::json::sax_parse(file, &reader);
  }
  if (!reader.config || !reader.ranks) {
    return refused("is there and does not say what it was measured with");
  }
  if (*reader.ranks != context.num_ranks()) {
    return refused(fmt::format("holds results of {} ranks, this run has {}", *reader.ranks,
                               context.num_ranks()));
  }
  const std::vector<std::string> before = measured_lines(*reader.config);
  const std::vector<std::string> now = measured_lines(context.config);
  if (before != now) {
    const auto differs = std::ranges::mismatch(before, now).in1 - before.begin();
    return refused(fmt::format("holds results of another configuration: it has '{}', this run '{}'",
                               line_at(before, differs), line_at(now, differs)));
  }
  return {};
}

}  // namespace shardmark::bench
