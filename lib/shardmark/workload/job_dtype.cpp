// SPDX-License-Identifier: Apache-2.0
#include "shardmark/workload/job_dtype.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace shardmark {
namespace {

constexpr std::array<std::pair<std::string_view, Dtype>, 5> by_width = {{
    {"complex64", Dtype::uint64},
    {"float8_e4m3fnuz", Dtype::uint8},
    {"float8_e5m2fnuz", Dtype::uint8},
    {"float8_e8m0fnu", Dtype::uint8},
    {"float4_e2m1fn_x2", Dtype::uint8},
}};

}  // namespace

std::optional<Dtype> job_dtype(std::string_view name) noexcept {
  if (const auto same = dtype_from_name(name)) {
    return same;
  }
  const auto* const found =
      std::ranges::find(by_width, name, &std::pair<std::string_view, Dtype>::first);
  return found == by_width.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace shardmark
