// SPDX-License-Identifier: Apache-2.0
#include "bench/peers/peer_messages.hpp"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace shardmark::bench {
namespace {

using Json = nlohmann::json;

constexpr std::size_t shown_bytes = 80;
constexpr double longest_s = 1e9;

Error nonsense(const std::string& line, const std::string& expected) {
  return {ErrorCode::data_loss,
          fmt::format("it answered '{}{}', expected {}", line.substr(0, shown_bytes),
                      line.size() > shown_bytes ? "..." : "", expected)};
}

/// The document of a line that has `state`.
Result<Json> answer(const std::string& line, const std::string& state) {
  const std::string expected = fmt::format("a JSON document of the state \"{}\"", state);
  Json json = Json::parse(line, nullptr, false);
  if (!json.is_object() || !json.contains("state")) {
    return nonsense(line, expected);
  }
  if (json["state"] == "failed" && json.contains("reason") && json["reason"].is_string()) {
    return Error{ErrorCode::io_error, json["reason"].get<std::string>()};
  }
  if (json["state"] != state) {
    return nonsense(line, expected);
  }
  return json;
}

std::optional<std::vector<std::string>> texts(const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_array()) {
    return std::nullopt;
  }
  std::vector<std::string> list;
  for (const Json& each : *found) {
    if (!each.is_string()) {
      return std::nullopt;
    }
    list.push_back(each.get<std::string>());
  }
  return list;
}

std::optional<std::string> text(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? std::optional(found->get<std::string>())
                                                   : std::nullopt;
}

bool is_absent(const Json& json, const char* key) {
  return !json.contains(key) || json[key].is_null();
}

/// A time that an operation can take.
std::optional<double> seconds(const Json& json, const char* key) {
  if (is_absent(json, key) || !json[key].is_number()) {
    return std::nullopt;
  }
  const double value = json[key].get<double>();
  return std::isfinite(value) && value > 0 && value < longest_s ? std::optional(value)
                                                                : std::nullopt;
}

std::optional<std::int64_t> count(const Json& json, const char* key) {
  if (is_absent(json, key) || !json[key].is_number_integer()) {
    return std::nullopt;
  }
  const auto value = json[key].get<std::int64_t>();
  return value >= 0 ? std::optional(value) : std::nullopt;
}

std::optional<bool> truth(const Json& json, const char* key) {
  return !is_absent(json, key) && json[key].is_boolean() ? std::optional(json[key].get<bool>())
                                                         : std::nullopt;
}

bool names(const Json& json, const char* key, const std::string& what) {
  const auto list = texts(json, key);
  return list && std::find(list->begin(), list->end(), what) != list->end();
}

}  // namespace

std::string request_line(const PeerRequest& request) {
  Json parts = Json::array();
  for (const PeerPart& part : request.parts) {
    parts.push_back({part.fqn, part.dtype, part.shape, part.offsets, part.sizes});
  }
  const Json json = {{"operation", request.saves ? "save" : "load"},
                     {"rank", request.rank},
                     {"ranks", request.ranks},
                     {"nodes", request.nodes},
                     {"program", request.program},
                     {"directory", request.directory},
                     {"num_bytes", request.num_bytes},
                     {"meeting", request.meeting},
                     {"piece_bytes", request.piece_bytes},
                     {"threads", request.threads},
                     {"parts", std::move(parts)}};
  return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

Result<std::vector<PeerEngine>> parse_engines(const std::string& list) {
  const Json json = Json::parse(list, nullptr, false);
  const std::string expected = "a JSON list of engines";
  if (!json.is_array()) {
    return nonsense(list, expected);
  }
  std::vector<PeerEngine> engines;
  for (const Json& each : json) {
    const auto name = each.is_object() ? text(each, "name") : std::nullopt;
    const auto python = name ? text(each, "python") : std::nullopt;
    const auto program = name ? text(each, "program") : std::nullopt;
    if (!python || !program || name->empty()) {
      return nonsense(list, expected);
    }
    engines.push_back({.name = *name,
                       .python = *python,
                       .program = *program,
                       .missing = text(each, "missing"),
                       .o_direct = truth(each, "o_direct").value_or(false),
                       .saves = names(each, "operations", "save"),
                       .loads = names(each, "operations", "load")});
  }
  return engines;
}

Result<std::vector<std::string>> parse_ready(const std::string& line) {
  SHARDMARK_ASSIGN_OR_RETURN(const Json json, answer(line, "ready"));
  auto files = texts(json, "files");
  if (!files) {
    return nonsense(line, "a list of files");
  }
  return std::move(*files);
}

Status parse_done(const std::string& line) {
  return Status(answer(line, "done"));
}

Result<PeerReport> parse_report(const std::string& line) {
  SHARDMARK_ASSIGN_OR_RETURN(const Json json, answer(line, "report"));
  const auto own_s = seconds(json, "own_s");
  const auto num_bytes = count(json, "num_bytes");
  auto files = texts(json, "files");
  if (!own_s) {
    return nonsense(line, "own_s, seconds above 0");
  }
  if (!num_bytes || !files) {
    return nonsense(line, "num_bytes, a count, and files, a list of paths");
  }
  return PeerReport{.own_s = *own_s,
                    .num_bytes = *num_bytes,
                    .files = std::move(*files),
                    .synced = truth(json, "synced"),
                    .returned_s = seconds(json, "returned_s"),
                    .verified = truth(json, "verified"),
                    .peak_memory_bytes = count(json, "peak_memory_bytes"),
                    .piece_bytes = count(json, "piece_bytes"),
                    .threads = count(json, "threads")};
}

}  // namespace shardmark::bench
