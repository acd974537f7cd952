// SPDX-License-Identifier: Apache-2.0
// Numbers of dtypes are those of files that were written; names are PyTorch's.
#include "shardmark/core/dtype.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string_view>

namespace shardmark {
namespace {

struct Row {
  std::string_view name;
  std::int64_t size;
  bool has_states = false;
};

// In the order of the format.
constexpr std::array<Row, 21> rows = {{{"float64", 8, true},
                                       {"float32", 4, true},
                                       {"float16", 2, true},
                                       {"bfloat16", 2, true},
                                       {"float8_e4m3fn", 1, true},
                                       {"float8_e5m2", 1, true},
                                       {"int64", 8},
                                       {"int32", 4},
                                       {"int16", 2},
                                       {"int8", 1},
                                       {"uint8", 1},
                                       {"bool", 1},
                                       {"uint16", 2},
                                       {"uint32", 4},
                                       {"uint64", 8},
                                       {"complex64", 8},
                                       {"complex128", 16},
                                       {"float8_e4m3fnuz", 1, true},
                                       {"float8_e5m2fnuz", 1, true},
                                       {"float8_e8m0fnu", 1},
                                       {"float4_e2m1fn_x2", 1}}};

TEST(Dtype, NumbersNamesAndSizesOfTheFormat) {
  ASSERT_EQ(rows.size(), static_cast<std::size_t>(num_dtypes));
  for (std::size_t number = 0; number < rows.size(); ++number) {
    const auto dtype = dtype_from_number(number);
    ASSERT_TRUE(dtype) << number;
    EXPECT_EQ(dtype_name(*dtype), rows[number].name);
    EXPECT_EQ(element_size(*dtype), rows[number].size) << rows[number].name;
    EXPECT_EQ(dtype_from_name(rows[number].name), dtype);
    EXPECT_EQ(is_floating(*dtype), rows[number].has_states);
    EXPECT_NE(dtype_names().find(rows[number].name), std::string::npos);
  }
  EXPECT_FALSE(dtype_from_number(21));
  EXPECT_FALSE(dtype_from_number(~std::uint64_t{0}));
  EXPECT_FALSE(dtype_from_name("torch.float32"));
  EXPECT_FALSE(dtype_from_name(""));
  for (const std::string_view name : {"qint8", "quint8", "qint32", "quint4x2", "quint2x4", "bits8",
                                      "bits16", "bits1x8", "uint4", "int7", "complex32"}) {
    EXPECT_TRUE(is_refused_dtype(name)) << name;
    EXPECT_FALSE(dtype_from_name(name)) << name;
  }
  EXPECT_FALSE(is_refused_dtype("uint8"));
}

}  // namespace
}  // namespace shardmark
