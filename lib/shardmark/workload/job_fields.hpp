// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "shardmark/core/dims.hpp"
#include "shardmark/core/result.hpp"

namespace shardmark {

/// Reads members of a JSON document that may be anything. Keeps what was found wrong first; what
/// is not as it should be is given as something harmless.
class JobFields {
 public:
  explicit JobFields(std::string path) : path_(std::move(path)) {}

  bool ok() const noexcept { return message_.empty(); }
  void wrong(std::string what) {
    message_ = message_.empty() ? fmt::format("{}: {}", path_, what) : message_;
  }
  Status status() const {
    return ok() ? Status() : Status(Error{ErrorCode::invalid_argument, message_});
  }

  /// The member `key` of `of`, or null.
  const nlohmann::json& member(const nlohmann::json& of, const char* key) {
    static const nlohmann::json none;
    const auto found = of.is_object() ? of.find(key) : of.end();
    return of.is_object() && found != of.end() ? *found : none;
  }
  const nlohmann::json& list(const nlohmann::json& of, const char* key) {
    static const nlohmann::json empty = nlohmann::json::array();
    const nlohmann::json& value = member(of, key);
    if (!value.is_array()) {
      wrong(fmt::format("'{}' is no list", key));
      return empty;
    }
    return value;
  }
  std::string text(const nlohmann::json& of, const char* key) {
    const nlohmann::json& value = member(of, key);
    if (!value.is_string()) {
      wrong(fmt::format("'{}' is no text", key));
      return {};
    }
    return value.get<std::string>();
  }
  std::int64_t number(const nlohmann::json& value, std::int64_t min, std::int64_t max,
                      std::string_view what) {
    if (!value.is_number_integer() || value.get<std::int64_t>() < min ||
        value.get<std::int64_t>() > max ||
        (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX)) {
      wrong(fmt::format("{} is no number from {} to {}", what, min, max));
      return min;
    }
    return value.get<std::int64_t>();
  }
  Dims dims(const nlohmann::json& of, const char* key) {
    const nlohmann::json& values = list(of, key);
    if (values.size() > max_ndim) {
      wrong(
          fmt::format("'{}' has {} dimensions, at most {} are held", key, values.size(), max_ndim));
      return {};
    }
    Dims read = Dims::filled(static_cast<int>(values.size()), 0);
    for (int d = 0; d < read.ndim(); ++d) {
      read[d] = number(values[static_cast<std::size_t>(d)], 0, INT64_MAX, key);
    }
    return read;
  }

 private:
  std::string path_;
  std::string message_;
};

}  // namespace shardmark
