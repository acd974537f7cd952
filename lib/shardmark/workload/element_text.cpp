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

/// Which patterns of a narrow float are no numbers.
enum class NotNumbers {
  ieee,       // the top exponent: infinity, else NaN
  all_ones,   // NaN alone (fn)
  minus_zero  // NaN alone, and exponents are one lower (fnuz)
};

/// A binary float of 1 + `exponent_bits` + `mantissa_bits` bits.
double small_float(std::uint32_t bits, int exponent_bits, int mantissa_bits,
                   NotNumbers not_numbers) {
  const std::uint32_t mantissa = bits & ((1U << mantissa_bits) - 1);
  const std::uint32_t top = (1U << exponent_bits) - 1;
  const std::uint32_t exponent = (bits >> mantissa_bits) & top;
  const double sign = ((bits >> (exponent_bits + mantissa_bits)) & 1) != 0 ? -1 : 1;
  const bool minus_zero = bits == 1U << (exponent_bits + mantissa_bits);
  const int bias = static_cast<int>(top >> 1) + (not_numbers == NotNumbers::minus_zero ? 1 : 0);
  const bool is_nan = not_numbers == NotNumbers::ieee ? exponent == top && mantissa != 0
                      : not_numbers == NotNumbers::all_ones
                          ? exponent == top && mantissa == (1U << mantissa_bits) - 1
                          : minus_zero;
  if (is_nan) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  if (exponent == top && not_numbers == NotNumbers::ieee) {
    return sign * std::numeric_limits<double>::infinity();
  }
  if (exponent == 0) {
    return sign * std::ldexp(mantissa, 1 - bias - mantissa_bits);
  }
  return sign * std::ldexp(mantissa + (1U << mantissa_bits),
                           static_cast<int>(exponent) - bias - mantissa_bits);
}

template <typename Real>
std::string complex_text(const std::byte* element) {
  return fmt::format("{}{:+}i", load<Real>(element), load<Real>(element + sizeof(Real)));
}

/// Two values of sign, exponent and half in a byte, the first in its low bits.
std::string pair_text(std::uint32_t byte) {
  constexpr double magnitudes[] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
  const auto value = [&](std::uint32_t bits) {
    return (bits & 8) != 0 ? -magnitudes[bits & 7] : magnitudes[bits & 7];
  };
  return fmt::format("{} {}", value(byte & 15), value(byte >> 4));
}

}  // namespace

std::string element_to_string(Dtype dtype, const std::byte* element) {
  switch (dtype) {
    case Dtype::float64:
      return fmt::format("{}", load<double>(element));
    case Dtype::float32:
      return fmt::format("{}", load<float>(element));
    case Dtype::float16:
      return fmt::format("{}", small_float(load<std::uint16_t>(element), 5, 10, NotNumbers::ieee));
    case Dtype::bfloat16:
      return fmt::format("{}", small_float(load<std::uint16_t>(element), 8, 7, NotNumbers::ieee));
    case Dtype::float8_e4m3fn:
      return fmt::format("{}",
                         small_float(load<std::uint8_t>(element), 4, 3, NotNumbers::all_ones));
    case Dtype::float8_e5m2:
      return fmt::format("{}", small_float(load<std::uint8_t>(element), 5, 2, NotNumbers::ieee));
    case Dtype::float8_e4m3fnuz:
      return fmt::format("{}",
                         small_float(load<std::uint8_t>(element), 4, 3, NotNumbers::minus_zero));
    case Dtype::float8_e5m2fnuz:
      return fmt::format("{}",
                         small_float(load<std::uint8_t>(element), 5, 2, NotNumbers::minus_zero));
    case Dtype::float8_e8m0fnu: {
      const int exponent = load<std::uint8_t>(element);
      return exponent == 0xFF ? "nan" : fmt::format("{}", std::ldexp(1.0, exponent - 127));
    }
    case Dtype::float4_e2m1fn_x2:
      return pair_text(load<std::uint8_t>(element));
    case Dtype::complex64:
      return complex_text<float>(element);
    case Dtype::complex128:
      return complex_text<double>(element);
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
