// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "shardmark/core/dtype.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/storage/hdf5/library/handle.hpp"

namespace shardmark {

/// Local. The HDF5 type of a dtype, little-endian, in file and memory alike so that HDF5 never
/// converts. bfloat16 and the fp8 kinds are HDF5 float types of their own bit fields, which other
/// programs read as numbers (float8_e4m3fn right for |x| < 256, above which HDF5's IEEE rules take
/// its exponent 15 for infinity); bool is an enum on int8.
Result<H5Type> hdf5_type(Dtype dtype);

/// Local. Of checksums, and of the manifest's bytes.
Result<H5Type> hdf5_word_type();
Result<H5Type> hdf5_byte_type();

}  // namespace shardmark
