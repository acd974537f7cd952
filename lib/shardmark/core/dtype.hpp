// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace shardmark {

/// Element types. The numbers are part of the manifest and plan formats: only ever append.
enum class Dtype : std::uint8_t {
  float64 = 0,
  float32 = 1,
  float16 = 2,
  bfloat16 = 3,
  float8_e4m3fn = 4,
  float8_e5m2 = 5,
  int64 = 6,
  int32 = 7,
  int16 = 8,
  int8 = 9,
  uint8 = 10,
  bool_ = 11,
  uint16 = 12,
  uint32 = 13,
  uint64 = 14,
  complex64 = 15,
  complex128 = 16,
  float8_e4m3fnuz = 17,
  float8_e5m2fnuz = 18,
  float8_e8m0fnu = 19,
  float4_e2m1fn_x2 = 20,  // an element is one byte, which holds two values
};

inline constexpr int num_dtypes = 21;

/// What there is to know of a dtype.
struct DtypeTraits {
  std::string_view name;          // PyTorch's, without "torch."
  std::int64_t element_size = 0;  // bytes
  /// A signed floating-point number an element, of any width: what an optimizer keeps states for.
  /// Powers of two and pairs of values are not: they are what quantization leaves.
  bool is_floating = false;
};

/// By number.
inline constexpr std::array<DtypeTraits, num_dtypes> dtype_table = {{
    {"float64", 8, true},
    {"float32", 4, true},
    {"float16", 2, true},
    {"bfloat16", 2, true},
    {"float8_e4m3fn", 1, true},
    {"float8_e5m2", 1, true},
    {"int64", 8},
    {"int32", 4},
    {"int16", 2},
    {"int8", 1},
    {"uint8", 1},
    {"bool", 1},
    {"uint16", 2},
    {"uint32", 4},
    {"uint64", 8},
    {"complex64", 8},
    {"complex128", 16},
    {"float8_e4m3fnuz", 1, true},
    {"float8_e5m2fnuz", 1, true},
    {"float8_e8m0fnu", 1},
    {"float4_e2m1fn_x2", 1},
}};

inline constexpr std::int64_t max_element_size = 16;

constexpr bool is_floating(Dtype dtype) noexcept {
  return dtype_table[static_cast<std::size_t>(dtype)].is_floating;
}

/// Bytes of one element.
constexpr std::int64_t element_size(Dtype dtype) noexcept {
  return dtype_table[static_cast<std::size_t>(dtype)].element_size;
}

/// "float32", "bfloat16", "bool", ...: PyTorch's names without "torch.".
std::string_view dtype_name(Dtype dtype) noexcept;

std::optional<Dtype> dtype_from_name(std::string_view name) noexcept;

/// Local. nullopt for a number that names no dtype, as damaged bytes may hold.
std::optional<Dtype> dtype_from_number(std::uint64_t number) noexcept;

/// PyTorch's quantized and bit types, and those whose tensors PyTorch itself cannot save: elements
/// that are no values by themselves, or have no bytes of their own.
bool is_refused_dtype(std::string_view name) noexcept;

/// Every name, comma-separated, for messages.
std::string dtype_names();

}  // namespace shardmark
