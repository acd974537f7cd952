// SPDX-License-Identifier: Apache-2.0
#include "shardmark/core/dtype.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

namespace shardmark {
namespace {

constexpr std::array<std::string_view, 25> refused = {
    "qint8",  "quint8", "qint32", "quint4x2", "quint2x4", "bits1x8", "bits2x4",  "bits4x2", "bits8",
    "bits16", "uint1",  "uint2",  "uint3",    "uint4",    "uint5",   "uint6",    "uint7",   "int1",
    "int2",   "int3",   "int4",   "int5",     "int6",     "int7",    "complex32"};

constexpr auto names = [] {
  std::array<std::string_view, num_dtypes> all{};
  std::ranges::transform(dtype_table, all.begin(), &DtypeTraits::name);
  return all;
}();

static_assert(std::ranges::max(dtype_table, {}, &DtypeTraits::element_size).element_size ==
              max_element_size);

}  // namespace

std::string_view dtype_name(Dtype dtype) noexcept {
  return names[static_cast<std::size_t>(dtype)];
}

std::optional<Dtype> dtype_from_name(std::string_view name) noexcept {
  const auto* const found = std::ranges::find(names, name);
  return found == names.end() ? std::nullopt
                              : std::optional(static_cast<Dtype>(found - names.begin()));
}

bool is_refused_dtype(std::string_view name) noexcept {
  return std::ranges::find(refused, name) != refused.end();
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
