// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "shardmark/core/dtype.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/storage/hdf5/library/handle.hpp"

namespace shardmark {

/// Local. The HDF5 type of a dtype, little-endian, in file and memory alike so that HDF5 never
/// converts. bfloat16 and four fp8 kinds are HDF5 float types of their own bit fields, which other
/// programs read as numbers; kinds without infinity (fn, fnuz) right below their top exponent only
/// (float8_e4m3fn for |x| < 256, float8_e4m3fnuz for |x| < 128, float8_e5m2fnuz for |x| < 32768),
/// which HDF5's IEEE rules take for infinity. float8_e8m0fnu, which has no sign, and
/// float4_e2m1fn_x2, two values a byte, are uint8: no HDF5 type says what they are. bool is an enum
/// on int8, complex a compound of r and i.
Result<H5Type> hdf5_type(Dtype dtype);

/// Local. Of checksums, and of the manifest's bytes.
Result<H5Type> hdf5_word_type();
Result<H5Type> hdf5_byte_type();

}  // namespace shardmark
