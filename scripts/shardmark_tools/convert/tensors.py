# SPDX-License-Identifier: Apache-2.0
"""What every format's reader tells of a checkpoint, and every writer is given."""

import dataclasses
import math

from shardmark_tools.job.dtypes import ITEM_SIZES


class ConvertError(Exception):
    """A checkpoint that cannot be converted; the message names file, tensor and reason."""


class DamageError(ConvertError):
    """What was read is not what was written."""


@dataclasses.dataclass(slots=True)
class Chunk:
    """A box of a tensor. It lies in `region` from `region_offsets` on. `expected`: {hash: value} that
    its elements must have."""

    offsets: tuple
    sizes: tuple
    region: object
    region_offsets: tuple
    expected: dict


@dataclasses.dataclass(slots=True)
class Tensor:
    """`chunks` by offsets, none empty, cover it."""

    fqn: str
    dtype: str
    shape: tuple
    chunks: list

    @property
    def item_size(self):
        return ITEM_SIZES[self.dtype]

    @property
    def num_bytes(self):
        return math.prod(self.shape) * self.item_size


@dataclasses.dataclass(slots=True)
class Bytes:
    """An object: bytes that nobody opens. `region` is None where there are none."""

    fqn: str
    num_bytes: int
    region: object
    expected: dict


@dataclasses.dataclass(slots=True)
class Checkpoint:
    """`world_size`: ranks that wrote it, 1 if unknown. `planner_data`: DCP's map of names to places in
    the nested state dict, or None. `files`: what the regions read through; closed by the owner."""

    tensors: list
    objects: list
    files: object
    world_size: int = 1
    step: int | None = None
    planner_data: object = None
    notes: list = dataclasses.field(default_factory=list)

    @property
    def num_bytes(self):
        return sum(entry.num_bytes for entry in (*self.tensors, *self.objects))
