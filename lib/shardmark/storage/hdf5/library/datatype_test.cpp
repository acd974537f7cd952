// SPDX-License-Identifier: Apache-2.0
// HDF5's own conversion reads each float type as the number that its format says.
#include "shardmark/storage/hdf5/library/datatype.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "shardmark/storage/hdf5/library/hdf5_call.hpp"

namespace shardmark {
namespace {

/// `bits` of a dtype as HDF5 converts them to double.
double converted(Dtype dtype, std::uint64_t bits) {
  const auto type = hdf5_type(dtype);
  EXPECT_TRUE(type) << type.error().message;
  std::array<std::byte, 8> memory{};
  std::memcpy(memory.data(), &bits, sizeof bits);
  EXPECT_GE(H5Tconvert(type->get(), H5T_NATIVE_DOUBLE, 1, memory.data(), nullptr, H5P_DEFAULT), 0);
  double value = 0;
  std::memcpy(&value, memory.data(), sizeof value);
  return value;
}

/// Sign, exponent and mantissa by the IEEE rule, from the widths and the bias alone.
double by_hand(std::uint64_t bits, int exponent_bits, int mantissa_bits, int bias) {
  const auto mantissa = static_cast<double>(bits & ((std::uint64_t{1} << mantissa_bits) - 1));
  const int exponent =
      static_cast<int>(bits >> mantissa_bits & ((std::uint64_t{1} << exponent_bits) - 1));
  const double scale = std::ldexp(1.0, mantissa_bits);
  const double value = exponent == 0 ? std::ldexp(mantissa / scale, 1 - bias)
                                     : std::ldexp(1 + mantissa / scale, exponent - bias);
  return (bits >> (exponent_bits + mantissa_bits) & 1) != 0 ? -value : value;
}

TEST(Hdf5Datatype, NarrowFloatsAreReadByTheirFields) {
  ASSERT_TRUE(prepare_hdf5());
  for (std::uint64_t bits = 0; bits < 256; ++bits) {
    if ((bits & 0x7C) != 0x7C) {
      EXPECT_EQ(converted(Dtype::float8_e5m2, bits), by_hand(bits, 5, 2, 15)) << bits;
    }
    if ((bits & 0x78) != 0x78) {
      EXPECT_EQ(converted(Dtype::float8_e4m3fn, bits), by_hand(bits, 4, 3, 7)) << bits;
      EXPECT_EQ(converted(Dtype::float8_e4m3fnuz, bits), by_hand(bits, 4, 3, 8)) << bits;
    }
    if ((bits & 0x7C) != 0x7C) {
      EXPECT_EQ(converted(Dtype::float8_e5m2fnuz, bits), by_hand(bits, 5, 2, 16)) << bits;
    }
  }
  for (std::uint64_t bits = 0; bits < 0x10000; bits += 37) {
    if ((bits & 0x7C00) != 0x7C00) {
      EXPECT_EQ(converted(Dtype::float16, bits), by_hand(bits, 5, 10, 15)) << bits;
    }
    if ((bits & 0x7F80) != 0x7F80) {
      EXPECT_EQ(converted(Dtype::bfloat16, bits), by_hand(bits, 8, 7, 127)) << bits;
    }
  }
}

TEST(Hdf5Datatype, SizesAndSignsAreTheDtypes) {
  ASSERT_TRUE(prepare_hdf5());
  for (std::uint64_t number = 0; number < num_dtypes; ++number) {
    const Dtype dtype = dtype_from_number(number).value();
    const auto type = hdf5_type(dtype);
    ASSERT_TRUE(type) << dtype_name(dtype);
    EXPECT_EQ(H5Tget_size(type->get()), static_cast<std::size_t>(element_size(dtype)));
    const bool is_complex = dtype_name(dtype).starts_with("complex");
    EXPECT_EQ(H5Tget_class(type->get()), is_floating(dtype)      ? H5T_FLOAT
                                         : dtype == Dtype::bool_ ? H5T_ENUM
                                         : is_complex            ? H5T_COMPOUND
                                                                 : H5T_INTEGER)
        << dtype_name(dtype);
    if (is_complex) {
      ASSERT_EQ(H5Tget_nmembers(type->get()), 2);
      EXPECT_EQ(H5Tget_member_index(type->get(), "r"), 0);
      EXPECT_EQ(H5Tget_member_index(type->get(), "i"), 1);
      EXPECT_EQ(H5Tget_member_offset(type->get(), 1),
                static_cast<std::size_t>(element_size(dtype) / 2));
    }
    if (H5Tget_class(type->get()) == H5T_INTEGER) {
      const bool is_signed = dtype_name(dtype).starts_with("int");
      EXPECT_EQ(H5Tget_sign(type->get()), is_signed ? H5T_SGN_2 : H5T_SGN_NONE);
    }
  }
}

}  // namespace
}  // namespace shardmark
