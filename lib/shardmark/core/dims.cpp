// SPDX-License-Identifier: Apache-2.0
#include "shardmark/core/dims.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace shardmark {

Result<Dims> Dims::from(std::span<const std::int64_t> values) {
  if (values.size() > max_ndim) {
    return Error{
        ErrorCode::invalid_argument,
        fmt::format("{} dimensions given, at most {} are supported", values.size(), max_ndim)};
  }
  Dims dims;
  dims.ndim_ = static_cast<std::int8_t>(values.size());
  std::copy(values.begin(), values.end(), dims.values_.begin());
  return dims;
}

std::string to_string(const Dims& dims) {
  return fmt::format("[{}]", fmt::join(dims.begin(), dims.end(), ", "));
}

Result<std::int64_t> checked_volume(const Dims& sizes) {
  std::int64_t product = 1;
  bool overflow = false;
  bool zero = false;
  for (const std::int64_t size : sizes) {
    if (size < 0) {
      return Error{ErrorCode::invalid_argument,
                   fmt::format("negative extent in {}", to_string(sizes))};
    }
    zero = zero || size == 0;
    overflow = overflow || __builtin_mul_overflow(product, size, &product);
  }
  if (zero) {
    return std::int64_t{0};
  }
  if (overflow) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("{} has more than 2^63 - 1 elements", to_string(sizes))};
  }
  return product;
}

}  // namespace shardmark
