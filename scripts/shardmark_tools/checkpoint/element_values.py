# SPDX-License-Identifier: Apache-2.0
"""The law of values: what element i of tensor fqn holds in a checkpoint with a given seed.

Written from the design's text alone, with numpy, so that it can judge what the C++ code wrote.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

FNV_OFFSET = 0xCBF29CE484222325
FNV_PRIME = 0x100000001B3
MASK_64 = 2**64 - 1

INTEGER_TYPES = {
    "int64": np.int64,
    "int32": np.int32,
    "int16": np.int16,
    "int8": np.int8,
    "uint8": np.uint8,
    "uint16": np.uint16,
    "uint32": np.uint32,
    "uint64": np.uint64,
}
FLOAT_TYPES = {
    "float64": np.float64,
    "float32": np.float32,
    "float16": np.float16,
    "bfloat16": np.float32,  # numpy has none; exact in float32
    "float8_e4m3fn": np.float32,
    "float8_e5m2": np.float32,
    "float8_e4m3fnuz": np.float32,
    "float8_e5m2fnuz": np.float32,
}
FLOAT8_FIELDS = {  # exponent bits, bias
    "float8_e4m3fn": (4, 7),
    "float8_e5m2": (5, 15),
    "float8_e4m3fnuz": (4, 8),
    "float8_e5m2fnuz": (5, 16),
}
COMPLEX_TYPES = {"complex64": np.complex64, "complex128": np.complex128}
# No HDF5 type says what they are: a power of two without a sign, two values in a byte.
BYTE_TYPES = ("float8_e8m0fnu", "float4_e2m1fn_x2")
DTYPE_NAMES = [*FLOAT_TYPES, *INTEGER_TYPES, "bool", *COMPLEX_TYPES, *BYTE_TYPES]
ITEM_SIZES = {
    "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "float8_e4m3fn": 1,
    "float8_e5m2": 1, "int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint8": 1, "bool": 1,
    "uint16": 2, "uint32": 4, "uint64": 8, "complex64": 8, "complex128": 16,
    "float8_e4m3fnuz": 1, "float8_e5m2fnuz": 1, "float8_e8m0fnu": 1, "float4_e2m1fn_x2": 1,
}  # fmt: skip


def fnv1a_64(data: bytes) -> int:
    value = FNV_OFFSET
    for byte in data:
        value = ((value ^ byte) * FNV_PRIME) & MASK_64
    return value


def finalised(z: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """splitmix64's finaliser."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def hashed(fqn: str, seed: int, start: int, count: int) -> npt.NDArray[np.uint64]:
    """The 64-bit v of elements start to start + count - 1, as uint64."""
    base = (fnv1a_64(fqn.encode()) + (seed + 1) * 0x9E3779B97F4A7C15) & MASK_64
    index = np.arange(start, start + count, dtype=np.uint64)
    return finalised(index * np.uint64(0xD1B54A32D192ED03) + np.array([base], dtype=np.uint64))


def float8_value(bits: npt.NDArray[np.uint8], dtype: str) -> npt.NDArray[np.float32]:
    """Finite values only: sign, exponent, mantissa, with denormals."""
    exponent_bits, bias = FLOAT8_FIELDS[dtype]
    mantissa_bits = 7 - exponent_bits
    exponent = ((bits >> mantissa_bits) & (2**exponent_bits - 1)).astype(np.int64)
    mantissa = (bits & (2**mantissa_bits - 1)).astype(np.float64) / 2**mantissa_bits
    normal = (1 + mantissa) * np.exp2((exponent - bias).astype(np.float64))
    magnitude = np.where(exponent == 0, mantissa * 2.0 ** (1 - bias), normal)
    return np.where(bits & 0x80, -magnitude, magnitude).astype(np.float32)


def fraction(v: npt.NDArray[np.uint64], dtype: str) -> npt.NDArray[Any]:
    """float64 or float32 in [0, 1)."""
    if dtype == "float64":
        return (v >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return ((v >> np.uint64(40)).astype(np.float64) * 2.0**-24).astype(np.float32)


def expected_values(fqn: str, seed: int, dtype: str, start: int, count: int) -> npt.NDArray[Any]:
    """Values of elements start to start + count - 1 as a numpy array that compares exactly."""
    v = hashed(fqn, seed, start, count)
    if dtype in ("float64", "float32"):
        return fraction(v, dtype)
    if dtype in COMPLEX_TYPES:
        part = "float32" if dtype == "complex64" else "float64"
        pairs = np.stack([fraction(v, part), fraction(finalised(v), part)], axis=1)
        return pairs.view(COMPLEX_TYPES[dtype]).reshape(-1)
    if dtype in ("float16", "bfloat16"):
        return ((v >> np.uint64(56)).astype(np.float64) * 2.0**-8).astype(FLOAT_TYPES[dtype])
    if dtype in FLOAT8_FIELDS:
        return float8_value(((v >> np.uint64(56)) & np.uint64(0x77)).astype(np.uint8), dtype)
    if dtype in BYTE_TYPES:
        mask = np.uint64(0x77 if dtype == "float8_e8m0fnu" else 0xFF)
        return ((v >> np.uint64(56)) & mask).astype(np.uint8)
    if dtype == "bool":
        return (v & np.uint64(1)).astype(bool)
    return v.astype(INTEGER_TYPES[dtype])


def expected_bits(fqn: str, seed: int, dtype: str, start: int, count: int) -> npt.NDArray[Any]:
    """The stored bytes of the types that numpy lacks, as unsigned integers."""
    v = hashed(fqn, seed, start, count)
    if dtype in FLOAT8_FIELDS:
        return ((v >> np.uint64(56)) & np.uint64(0x77)).astype(np.uint8)
    assert dtype == "bfloat16", dtype
    values = expected_values(fqn, seed, dtype, start, count)
    return (values.view(np.uint32) >> np.uint32(16)).astype(np.uint16)


def expected_object_bytes(fqn: str, seed: int, count: int) -> npt.NDArray[np.uint8]:
    return (hashed(fqn, seed, 0, count) & np.uint64(0xFF)).astype(np.uint8)
