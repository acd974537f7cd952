// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/hdf5/library/datatype.hpp"

#include "shardmark/storage/hdf5/library/hdf5_call.hpp"

namespace shardmark {
namespace {

struct FloatFields {
  std::size_t size;
  std::size_t exponent_bits;
  std::size_t mantissa_bits;
  std::size_t bias;
};

/// Sign, exponent, mantissa from the top bit down.
Result<H5Type> float_type(const FloatFields& f) {
  H5Type type(H5Tcopy(H5T_IEEE_F32LE));
  const std::size_t sign = f.exponent_bits + f.mantissa_bits;
  const bool ok =
      type &&
      H5Tset_fields(type.get(), sign, f.mantissa_bits, f.exponent_bits, 0, f.mantissa_bits) >= 0 &&
      H5Tset_size(type.get(), f.size) >= 0 && H5Tset_ebias(type.get(), f.bias) >= 0;
  if (!ok) {
    return hdf5_error("H5Tset_fields", "of a float type");
  }
  return type;
}

Result<H5Type> bool_type() {
  H5Type type(H5Tenum_create(H5T_STD_I8LE));
  const signed char values[] = {0, 1};
  const bool ok = type && H5Tenum_insert(type.get(), "FALSE", &values[0]) >= 0 &&
                  H5Tenum_insert(type.get(), "TRUE", &values[1]) >= 0;
  if (!ok) {
    return hdf5_error("H5Tenum_insert", "of the bool type");
  }
  return type;
}

/// Members r and i, which h5py takes for a complex number.
Result<H5Type> complex_type(hid_t part) {
  const std::size_t half = H5Tget_size(part);
  H5Type type(H5Tcreate(H5T_COMPOUND, 2 * half));
  const bool ok = type && H5Tinsert(type.get(), "r", 0, part) >= 0 &&
                  H5Tinsert(type.get(), "i", half, part) >= 0;
  if (!ok) {
    return hdf5_error("H5Tinsert", "of a complex type");
  }
  return type;
}

Result<H5Type> copy_of(hid_t standard) {
  return hdf5_handle<H5Type>(H5Tcopy(standard), "H5Tcopy", "");
}

}  // namespace

Result<H5Type> hdf5_type(Dtype dtype) {
  switch (dtype) {
    case Dtype::float64:
      return copy_of(H5T_IEEE_F64LE);
    case Dtype::float32:
      return copy_of(H5T_IEEE_F32LE);
    case Dtype::float16:
      return float_type({2, 5, 10, 15});
    case Dtype::bfloat16:
      return float_type({2, 8, 7, 127});
    case Dtype::float8_e4m3fn:
      return float_type({1, 4, 3, 7});
    case Dtype::float8_e5m2:
      return float_type({1, 5, 2, 15});
    case Dtype::float8_e4m3fnuz:
      return float_type({1, 4, 3, 8});
    case Dtype::float8_e5m2fnuz:
      return float_type({1, 5, 2, 16});
    case Dtype::float8_e8m0fnu:
    case Dtype::float4_e2m1fn_x2:
      return copy_of(H5T_STD_U8LE);
    case Dtype::complex64:
      return complex_type(H5T_IEEE_F32LE);
    case Dtype::complex128:
      return complex_type(H5T_IEEE_F64LE);
    case Dtype::int64:
      return copy_of(H5T_STD_I64LE);
    case Dtype::int32:
      return copy_of(H5T_STD_I32LE);
    case Dtype::int16:
      return copy_of(H5T_STD_I16LE);
    case Dtype::int8:
      return copy_of(H5T_STD_I8LE);
    case Dtype::uint8:
      return copy_of(H5T_STD_U8LE);
    case Dtype::uint16:
      return copy_of(H5T_STD_U16LE);
    case Dtype::uint32:
      return copy_of(H5T_STD_U32LE);
    case Dtype::uint64:
      return copy_of(H5T_STD_U64LE);
    case Dtype::bool_:
      return bool_type();
  }
  return Error{ErrorCode::internal, "unknown dtype"};
}

Result<H5Type> hdf5_word_type() {
  return copy_of(H5T_STD_U64LE);
}

Result<H5Type> hdf5_byte_type() {
  return copy_of(H5T_STD_U8LE);
}

}  // namespace shardmark
