// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "shardmark/core/assert.hpp"
#include "shardmark/core/result.hpp"

namespace shardmark {

/// Most tensor dimensions supported. Inline storage, so that items and boxes never touch the heap.
inline constexpr int max_ndim = 8;

/// Extents or offsets, one per tensor dimension, in elements. Empty for a 0-d tensor.
class Dims {
 public:
  using value_type = std::int64_t;

  constexpr Dims() = default;
  constexpr Dims(std::initializer_list<std::int64_t> values) {
    SHARDMARK_ASSERT(values.size() <= max_ndim, "more than 8 dimensions");
    std::copy(values.begin(), values.end(), values_.begin());
    ndim_ = static_cast<std::int8_t>(values.size());
  }

  /// Local. `ndim` copies of `value`; `ndim` must be at most max_ndim.
  static constexpr Dims filled(int ndim, std::int64_t value) {
    SHARDMARK_ASSERT(ndim >= 0 && ndim <= max_ndim, "more than 8 dimensions");
    Dims dims;
    dims.ndim_ = static_cast<std::int8_t>(ndim);
    std::fill_n(dims.values_.begin(), ndim, value);
    return dims;
  }

  /// Local. Errors: invalid_argument for more than max_ndim values, naming the limit.
  static Result<Dims> from(std::span<const std::int64_t> values);

  constexpr int ndim() const noexcept { return ndim_; }
  constexpr bool empty() const noexcept { return ndim_ == 0; }
  constexpr std::size_t size() const noexcept { return static_cast<std::size_t>(ndim_); }

  constexpr std::int64_t& operator[](int d) { return values_[static_cast<std::size_t>(d)]; }
  constexpr std::int64_t operator[](int d) const { return values_[static_cast<std::size_t>(d)]; }

  constexpr const std::int64_t* data() const noexcept { return values_.data(); }
  constexpr const std::int64_t* begin() const noexcept { return values_.data(); }
  constexpr const std::int64_t* end() const noexcept { return values_.data() + ndim_; }
  constexpr std::int64_t* begin() noexcept { return values_.data(); }
  constexpr std::int64_t* end() noexcept { return values_.data() + ndim_; }

  friend constexpr bool operator==(const Dims& a, const Dims& b) noexcept {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }
  /// Lexicographic.
  friend constexpr std::strong_ordering operator<=>(const Dims& a, const Dims& b) noexcept {
    return std::lexicographical_compare_three_way(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  std::array<std::int64_t, max_ndim> values_{};
  std::int8_t ndim_ = 0;
};

/// Local. "[4, 2]", "[]" for 0-d: the form used in every message.
std::string to_string(const Dims& dims);

/// Local. Product of the extents, 1 for 0-d. Errors: invalid_argument if an extent is negative or
/// the product passes 2^63 - 1.
Result<std::int64_t> checked_volume(const Dims& sizes);

/// Local. Product of extents that are known to be valid.
constexpr std::int64_t volume(const Dims& sizes) noexcept {
  std::int64_t product = 1;
  for (const std::int64_t size : sizes) {
    product *= size;
  }
  return product;
}

/// Local. Row-major strides in elements.
constexpr Dims row_major_strides(const Dims& sizes) noexcept {
  Dims strides = sizes;
  std::int64_t stride = 1;
  for (int d = sizes.ndim() - 1; d >= 0; --d) {
    strides[d] = stride;
    stride *= sizes[d];
  }
  return strides;
}

}  // namespace shardmark
