# SPDX-License-Identifier: Apache-2.0
"""The bytes of the tensors in the checkpoints of this folder: a function of name and dtype alone."""

import zlib

import numpy as np


def tensor_bytes(fqn, dtype, num_bytes):
    """Those of the whole tensor, row-major."""
    values = np.random.default_rng(zlib.crc32(fqn.encode())).integers(0, 256, num_bytes, np.uint8)
    return values & 1 if dtype == "bool" else values
