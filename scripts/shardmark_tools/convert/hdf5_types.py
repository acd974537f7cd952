# SPDX-License-Identifier: Apache-2.0
"""The HDF5 type in which Shardmark stores each dtype."""

import h5py

STANDARD = {
    "float64": h5py.h5t.IEEE_F64LE, "float32": h5py.h5t.IEEE_F32LE, "int64": h5py.h5t.STD_I64LE,
    "int32": h5py.h5t.STD_I32LE, "int16": h5py.h5t.STD_I16LE, "int8": h5py.h5t.STD_I8LE,
    "uint8": h5py.h5t.STD_U8LE, "uint16": h5py.h5t.STD_U16LE, "uint32": h5py.h5t.STD_U32LE,
    "uint64": h5py.h5t.STD_U64LE,
    # A power of two without a sign, and two values in a byte: no HDF5 type says that.
    "float8_e8m0fnu": h5py.h5t.STD_U8LE, "float4_e2m1fn_x2": h5py.h5t.STD_U8LE,
}
COMPLEX = {"complex64": h5py.h5t.IEEE_F32LE, "complex128": h5py.h5t.IEEE_F64LE}  # fmt: skip
FLOATS = {  # bytes, exponent bits, mantissa bits, bias
    "float16": (2, 5, 10, 15), "bfloat16": (2, 8, 7, 127), "float8_e4m3fn": (1, 4, 3, 7),
    "float8_e5m2": (1, 5, 2, 15), "float8_e4m3fnuz": (1, 4, 3, 8), "float8_e5m2fnuz": (1, 5, 2, 16),
}  # fmt: skip


def float_type(size: int, exponent: int, mantissa: int, bias: int) -> h5py.h5t.TypeID:
    """Sign, exponent, mantissa from the top bit down."""
    kind = h5py.h5t.IEEE_F32LE.copy()
    kind.set_fields(exponent + mantissa, mantissa, exponent, 0, mantissa)
    kind.set_size(size)
    kind.set_ebias(bias)
    return kind


def hdf5_type(dtype: str) -> h5py.h5t.TypeID:
    if dtype in STANDARD:
        return STANDARD[dtype].copy()
    if dtype == "bool":
        kind = h5py.h5t.enum_create(h5py.h5t.STD_I8LE)
        kind.enum_insert(b"FALSE", 0)
        kind.enum_insert(b"TRUE", 1)
        return kind
    if dtype in COMPLEX:
        part = COMPLEX[dtype]
        kind = h5py.h5t.create(h5py.h5t.COMPOUND, 2 * part.get_size())
        kind.insert(b"r", 0, part)
        kind.insert(b"i", part.get_size(), part)
        return kind
    return float_type(*FLOATS[dtype])
