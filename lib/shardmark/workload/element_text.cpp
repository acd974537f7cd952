// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "shardmark/workload/value_law.hpp"

namespace shardmark {
namespace {

template <typename T>
T load(const std::byte* element) {
  T value;
  std::memcpy(&value, element, sizeof value);
  return value;
}

/// A binary float of 1 + `exponent_bits` + `mantissa_bits` bits. `has_infinity`: IEEE's top
/// exponent; without it only an all-ones pattern is NaN (e4m3fn).
double small_float(std::uint32_t bits, int exponent_bits, int mantissa_bits, bool has_infinity) {
  const std::uint32_t mantissa = bits & ((1U << mantissa_bits) - 1);
  const std::uint32_t top = (1U << exponent_bits) - 1;
  const std::uint32_t exponent = (bits >> mantissa_bits) & top;
  const double sign = ((bits >> (exponent_bits + mantissa_bits)) & 1) != 0 ? -1 : 1;
  const int bias = static_cast<int>(top >> 1);
  if (exponent == top && (has_infinity ? mantissa != 0 : mantissa == (1U << mantissa_bits) - 1)) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  if (exponent == top && has_infinity) {
    return sign * std::numeric_limits<double>::infinity();
  }
  if (exponent == 0) {
    return sign * std::ldexp(mantissa, 1 - bias - mantissa_bits);
  }
  return sign * std::ldexp(mantissa + (1U << mantissa_bits),
                           static_cast<int>(exponent) - bias - mantissa_bits);
}

}  // namespace

std::string element_to_string(Dtype dtype, const std::byte* element) {
  switch (dtype) {
    case Dtype::float64:
      return fmt::format("{}", load<double>(element));
    case Dtype::float32:
      return fmt::format("{}", load<float>(element));
    case Dtype::float16:
      return fmt::format("{}", small_float(load<std::uint16_t>(element), 5, 10, true));
    case Dtype::bfloat16:
      return fmt::format("{}", small_float(load<std::uint16_t>(element), 8, 7, true));
    case Dtype::float8_e4m3fn:
      return fmt::format("{}", small_float(load<std::uint8_t>(element), 4, 3, false));
    case Dtype::float8_e5m2:
      return fmt::format("{}", small_float(load<std::uint8_t>(element), 5, 2, true));
    case Dtype::int64:
      return fmt::format("{}", load<std::int64_t>(element));
    case Dtype::int32:
      return fmt::format("{}", load<std::int32_t>(element));
    case Dtype::int16:
      return fmt::format("{}", load<std::int16_t>(element));
    case Dtype::int8:
      return fmt::format("{}", static_cast<int>(load<std::int8_t>(element)));
    case Dtype::uint8:
      return fmt::format("{}", static_cast<int>(load<std::uint8_t>(element)));
    case Dtype::uint16:
      return fmt::format("{}", load<std::uint16_t>(element));
    case Dtype::uint32:
      return fmt::format("{}", load<std::uint32_t>(element));
    case Dtype::uint64:
      return fmt::format("{}", load<std::uint64_t>(element));
    case Dtype::bool_: {
      const auto byte = load<std::uint8_t>(element);
      return byte == 0 ? "false" : byte == 1 ? "true" : fmt::format("the byte {}", byte);
    }
  }
  return "?";
}

}  // namespace shardmark
