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
};

inline constexpr int num_dtypes = 15;

/// Floating point, of any width: what an optimizer keeps states for.
constexpr bool is_floating(Dtype dtype) noexcept {
  return dtype <= Dtype::float8_e5m2;
}

/// Bytes of one element.
constexpr std::int64_t element_size(Dtype dtype) noexcept {
  constexpr std::array<std::int64_t, num_dtypes> sizes = {8, 4, 2, 2, 1, 1, 8, 4,
                                                          2, 1, 1, 1, 2, 4, 8};
  return sizes[static_cast<std::size_t>(dtype)];
}

/// "float32", "bfloat16", "bool", ...: PyTorch's names without "torch.".
std::string_view dtype_name(Dtype dtype) noexcept;

std::optional<Dtype> dtype_from_name(std::string_view name) noexcept;

/// Local. nullopt for a number that names no dtype, as damaged bytes may hold.
std::optional<Dtype> dtype_from_number(std::uint64_t number) noexcept;

/// Every name, comma-separated, for messages.
std::string dtype_names();

}  // namespace shardmark
