// SPDX-License-Identifier: Apache-2.0
#include "shardmark/core/dims.hpp"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <vector>

#include "shardmark/core/dtype.hpp"
#include "shardmark/core/nearest_name.hpp"

namespace shardmark {
namespace {

TEST(Dims, LimitIsNamed) {
  EXPECT_EQ(Dims::from(std::vector<std::int64_t>(8, 3)).value(), Dims::filled(8, 3));
  const auto nine = Dims::from(std::vector<std::int64_t>(9, 3));
  ASSERT_FALSE(nine);
  EXPECT_EQ(nine.error().code, ErrorCode::invalid_argument);
  EXPECT_NE(nine.error().message.find("at most 8"), std::string::npos);
}

TEST(Dims, OrderAndText) {
  EXPECT_LT((Dims{1, 9}), (Dims{2, 0}));
  EXPECT_LT((Dims{1}), (Dims{1, 0}));
  EXPECT_NE((Dims{}), (Dims{0}));
  EXPECT_EQ(to_string(Dims{4, 2}), "[4, 2]");
  EXPECT_EQ(to_string(Dims{}), "[]");
  EXPECT_EQ(row_major_strides({2, 3, 4}), (Dims{12, 4, 1}));
}

TEST(Dims, CheckedVolume) {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(checked_volume({}).value(), 1);
  EXPECT_EQ(checked_volume({most}).value(), most);
  EXPECT_EQ(checked_volume({most, 2, 0}).value(), 0) << "no elements, whatever the rest";
  EXPECT_FALSE(checked_volume({std::int64_t{1} << 32, std::int64_t{1} << 31}));
  EXPECT_FALSE(checked_volume({0, -1}));
}

TEST(Dtype, NamesAreExactAndRoundTrip) {
  EXPECT_EQ(dtype_names(),
            "float64, float32, float16, bfloat16, float8_e4m3fn, float8_e5m2, int64, int32, int16, "
            "int8, uint8, bool, uint16, uint32, uint64, complex64, complex128, float8_e4m3fnuz, "
            "float8_e5m2fnuz, float8_e8m0fnu, float4_e2m1fn_x2");
  for (std::uint64_t i = 0; i < num_dtypes; ++i) {
    const Dtype dtype = dtype_from_number(i).value();
    EXPECT_EQ(dtype_from_name(dtype_name(dtype)), dtype);
  }
  EXPECT_EQ(dtype_from_number(21), std::nullopt);
  EXPECT_EQ(dtype_from_name("float"), std::nullopt);
  EXPECT_EQ(element_size(Dtype::bool_), 1);
  EXPECT_EQ(element_size(Dtype::bfloat16), 2);
}

TEST(NearestName, OnlyNearOnes) {
  const std::array<std::string_view, 3> known = {"fsdp", "fsdp-tp", "megatron"};
  EXPECT_EQ(nearest_name("megatrom", known), "megatron");
  EXPECT_EQ(nearest_name("fsp", known), "fsdp");
  EXPECT_EQ(nearest_name("fsdptp", known), "fsdp-tp");
  EXPECT_EQ(nearest_name("zero9", known), "");
  EXPECT_EQ(did_you_mean("fsp", known), "; did you mean 'fsdp'?");
  EXPECT_EQ(did_you_mean("", known), "");
}

}  // namespace
}  // namespace shardmark
