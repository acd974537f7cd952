// SPDX-License-Identifier: Apache-2.0
#include "shardmark/core/dtype.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace shardmark {
namespace {

constexpr std::array<std::string_view, num_dtypes> names = {
    "float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", "int64", "int32",
    "int16",   "int8",    "uint8",   "bool",     "uint16",        "uint32",      "uint64"};

}  // namespace

std::string_view dtype_name(Dtype dtype) noexcept {
  return names[static_cast<std::size_t>(dtype)];
}

std::optional<Dtype> dtype_from_name(std::string_view name) noexcept {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) {
      return static_cast<Dtype>(i);
    }
  }
  return std::nullopt;
}

std::optional<Dtype> dtype_from_number(std::uint64_t number) noexcept {
  if (number >= names.size()) {
    return std::nullopt;
  }
  return static_cast<Dtype>(number);
}

std::string dtype_names() {
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace shardmark
