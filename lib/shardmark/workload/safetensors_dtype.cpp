// SPDX-License-Identifier: Apache-2.0
#include "shardmark/workload/safetensors_dtype.hpp"

namespace shardmark {
namespace {

constexpr bool named = true;

// The Dtype enumeration of safetensors 0.6, whole.
constexpr PublishedDtype published_dtypes[] = {
    {"BOOL", Dtype::bool_, 8, named},
    {"F4", Dtype::float4_e2m1fn_x2, 4, named},
    {"F6_E2M3", Dtype::uint8, 6},
    {"F6_E3M2", Dtype::uint8, 6},
    {"U8", Dtype::uint8, 8, named},
    {"I8", Dtype::int8, 8, named},
    {"F8_E5M2", Dtype::float8_e5m2, 8, named},
    {"F8_E4M3", Dtype::float8_e4m3fn, 8, named},
    {"F8_E8M0", Dtype::float8_e8m0fnu, 8, named},
    {"F8_E4M3FNUZ", Dtype::float8_e4m3fnuz, 8, named},
    {"F8_E5M2FNUZ", Dtype::float8_e5m2fnuz, 8, named},
    {"I16", Dtype::int16, 16, named},
    {"U16", Dtype::uint16, 16, named},
    {"F16", Dtype::float16, 16, named},
    {"BF16", Dtype::bfloat16, 16, named},
    {"I32", Dtype::int32, 32, named},
    {"U32", Dtype::uint32, 32, named},
    {"F32", Dtype::float32, 32, named},
    {"C64", Dtype::complex64, 64, named},
    {"F64", Dtype::float64, 64, named},
    {"I64", Dtype::int64, 64, named},
    {"U64", Dtype::uint64, 64, named},
};

}  // namespace

std::optional<PublishedDtype> published_dtype(std::string_view name) noexcept {
  for (const PublishedDtype& dtype : published_dtypes) {
    if (dtype.name == name) {
      return dtype;
    }
  }
  return std::nullopt;
}

}  // namespace shardmark
