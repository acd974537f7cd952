// SPDX-License-Identifier: Apache-2.0
// Elements of narrow types in words; values from the formats' own tables.
#include "shardmark/workload/value_law.hpp"

#include <gtest/gtest.h>

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
  EXPECT_EQ(text(Dtype::float16, 0xC000), "-2");
  EXPECT_EQ(text(Dtype::bfloat16, 0x3F80), "1");
  EXPECT_EQ(text(Dtype::int8, 0xFF), "-1");
  EXPECT_EQ(text(Dtype::bool_, 0xA5), "the byte 165");
}

}  // namespace
}  // namespace shardmark
