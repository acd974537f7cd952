// SPDX-License-Identifier: Apache-2.0
// Elements of narrow types in words; values from the formats' own tables.
#include "shardmark/workload/value_law.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace shardmark {
namespace {

TEST(ElementText, SmallFloats) {
  const auto text = [](Dtype dtype, std::uint16_t bits) {
    return element_to_string(dtype, reinterpret_cast<const std::byte*>(&bits));
  };
  EXPECT_EQ(text(Dtype::float8_e4m3fn, 0x7E), "448");
  EXPECT_EQ(text(Dtype::float8_e4m3fn, 0xFF), "nan");
  EXPECT_EQ(text(Dtype::float8_e4m3fn, 0x01), "0.001953125");
  EXPECT_EQ(text(Dtype::float8_e5m2, 0x7B), "57344");
  EXPECT_EQ(text(Dtype::float8_e5m2, 0xFC), "-inf");
  EXPECT_EQ(text(Dtype::float8_e4m3fnuz, 0x7F), "240");
  EXPECT_EQ(text(Dtype::float8_e4m3fnuz, 0x01), "0.0009765625");
  EXPECT_EQ(text(Dtype::float8_e4m3fnuz, 0x80), "nan");
  EXPECT_EQ(text(Dtype::float8_e5m2fnuz, 0xFF), "-57344");
  EXPECT_EQ(text(Dtype::float8_e5m2fnuz, 0x80), "nan");
  EXPECT_EQ(text(Dtype::float8_e8m0fnu, 0x7F), "1");
  EXPECT_EQ(text(Dtype::float8_e8m0fnu, 0x76), "0.001953125");
  EXPECT_EQ(text(Dtype::float8_e8m0fnu, 0xFF), "nan");
  EXPECT_EQ(text(Dtype::float4_e2m1fn_x2, 0xE7), "6 -4");
  EXPECT_EQ(text(Dtype::float16, 0xC000), "-2");
  EXPECT_EQ(text(Dtype::bfloat16, 0x3F80), "1");
  EXPECT_EQ(text(Dtype::int8, 0xFF), "-1");
  EXPECT_EQ(text(Dtype::bool_, 0xA5), "the byte 165");
}

TEST(ElementText, ComplexNumbers) {
  const std::array<float, 2> narrow = {0.5F, 0.25F};
  const std::array<double, 2> wide = {-1, -0.125};
  EXPECT_EQ(element_to_string(Dtype::complex64, reinterpret_cast<const std::byte*>(narrow.data())),
            "0.5+0.25i");
  EXPECT_EQ(element_to_string(Dtype::complex128, reinterpret_cast<const std::byte*>(wide.data())),
            "-1-0.125i");
}

}  // namespace
}  // namespace shardmark
