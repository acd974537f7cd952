// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "shardmark/core/box.hpp"
#include "shardmark/core/tensor_view.hpp"

namespace shardmark {

/// The law of values: element i (global row-major index) of entry `fqn` in a checkpoint with `seed`
/// is a fixed function, so that any program can check any byte. One 64-bit word an element,
///
///   z = fnv1a(fqn) + (seed + 1) * 0x9E3779B97F4A7C15 + i * 0xD1B54A32D192ED03,
///   v = splitmix64's finaliser of z,
///
/// and of it, by dtype: float64 53, float32 24, float16 and bfloat16 8 top bits as a fraction of 1;
/// fp8, all five kinds, the top byte & 0x77; float4_e2m1fn_x2 the top byte; complex the float of
/// half its width of v, and as imaginary part that of the finaliser of v; integers v mod 2^width;
/// bool the lowest bit; object bytes the low byte.

/// Local. v of one element.
std::uint64_t value_word(std::string_view fqn, std::uint64_t seed, std::uint64_t index) noexcept;

/// Local. Writes the elements of the global box `box` of a tensor of `global_sizes` into `view`,
/// whose sizes are the box's and whose strides are any. No memory beyond the view is touched.
void fill(const TensorView& view, std::string_view fqn, std::uint64_t seed, const Box& box,
          const Dims& global_sizes);

/// The first element, in the box's row-major order of memory runs, that breaks the law.
struct ValueMismatch {
  Dims index;  // in the global tensor
  std::string expected;
  std::string found;
};

/// Local. Compares every bit of the box's elements with the law. Arguments as for fill().
std::optional<ValueMismatch> check(const ConstTensorView& view, std::string_view fqn,
                                   std::uint64_t seed, const Box& box, const Dims& global_sizes);

/// Local. Opaque entries: byte j is the low byte of element j's word.
void fill(std::span<std::byte> object, std::string_view fqn, std::uint64_t seed);
std::optional<ValueMismatch> check(std::span<const std::byte> object, std::string_view fqn,
                                   std::uint64_t seed);

/// Local. One element as a number for messages: "0.5859375", "-17", "true", "nan", "0.5+0.25i".
std::string element_to_string(Dtype dtype, const std::byte* element);

}  // namespace shardmark
