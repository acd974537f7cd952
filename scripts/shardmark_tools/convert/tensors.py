# SPDX-License-Identifier: Apache-2.0
"""What every format's reader tells of a checkpoint, and every writer is given."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from shardmark_tools.convert.layout_boxes import Dims
from shardmark_tools.convert.region import Files, Region
from shardmark_tools.job.dtypes import ITEM_SIZES
from shardmark_tools.refusal import Refused

Hashes = dict[str, int]  # {name of a hash: its value}


class ConvertError(Refused):
    """A checkpoint that cannot be converted; the message names file, tensor and reason."""


class DamageError(ConvertError):
    """What was read is not what was written."""


@dataclasses.dataclass(slots=True)
class Chunk:
    """A box of a tensor. It lies in `region` from `region_offsets` on. `expected`: what its elements
    must have."""

    offsets: Dims
    sizes: Dims
    region: Region
    region_offsets: Dims
    expected: Hashes


@dataclasses.dataclass(slots=True)
class Tensor:
    """`chunks` by offsets, none empty, cover it. `published_dtype`: safetensors' name of what it is, where `dtype` is
    an unsigned integer of that width; else empty."""

    fqn: str
    dtype: str
    shape: Dims
    chunks: list[Chunk]
    published_dtype: str = ""

    @property
    def item_size(self) -> int:
        return ITEM_SIZES[self.dtype]

    @property
    def num_bytes(self) -> int:
        return math.prod(self.shape) * self.item_size


@dataclasses.dataclass(slots=True)
class Bytes:
    """An object: bytes that nobody opens. `region` is None where there are none."""

    fqn: str
    num_bytes: int
    region: Region | None
    expected: Hashes


@dataclasses.dataclass(slots=True)
class Checkpoint:
    """`world_size`: ranks that wrote it, 1 if unknown. `planner_data`: DCP's map of names to places in
    the nested state dict, or None. `files`: what the regions read through; closed by the owner."""

    tensors: list[Tensor]
    objects: list[Bytes]
    files: Files
    world_size: int = 1
    step: int | None = None
    planner_data: Mapping[str, tuple[Any, ...]] | None = None
    notes: list[str] = dataclasses.field(default_factory=list)

    @property
    def num_bytes(self) -> int:
        return sum(tensor.num_bytes for tensor in self.tensors) + sum(item.num_bytes for item in self.objects)


def places_in_state(planner_data: object) -> dict[str, tuple[Any, ...]] | None:
    """DCP's map of names to places in the nested state dict, as far as it is one."""
    if not isinstance(planner_data, dict):
        return None
    return {name: tuple(place) for name, place in planner_data.items()
            if isinstance(name, str) and isinstance(place, (tuple, list))}  # fmt: skip
