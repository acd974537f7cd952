# SPDX-License-Identifier: Apache-2.0
"""What every format's reader tells of a checkpoint, and every writer is given."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from shardmark_tools.convert.layout_boxes import Dims
from shardmark_tools.convert.open_files import Files
from shardmark_tools.convert.region import Region
from shardmark_tools.job.dtypes import ITEM_SIZES
from shardmark_tools.job.name_form import is_utf8
from shardmark_tools.refusal import Refused

LARGEST = 2**63 - 1
Hashes = dict[str, int]  # {name of a hash: its value}


class ConvertError(Refused):
    """A checkpoint that cannot be converted; the message names file, tensor and reason."""


class DamageError(ConvertError):
    """What was read is not what was written."""


def checker(fqn: str, offsets: Dims, expected: Hashes) -> Callable[[Hashes], None]:
    """Called with the values of a chunk, raises DamageError where they are others."""
    return lambda values: check_values(fqn, offsets, expected, values)


def check_values(fqn: str, offsets: Dims, expected: Hashes, values: Hashes) -> None:
    for kind, value in expected.items():
        if values[kind] != value:
            raise DamageError(f"'{fqn}': the chunk at {offsets} has {kind} {values[kind]:x}, expected {value:x}")


def nothing_more() -> None:
    """Of a checkpoint whose reader has checked all that it checks."""


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
    the nested state dict, or None. `mcore_data`: what Megatron-Core keeps of tensors by name, or None.
    `files`: what the regions read through; closed by the owner. `finish_checks`: waits for what is still being checked;
    raises DamageError. Nothing made of the checkpoint may become visible before it has returned."""

    tensors: list[Tensor]
    objects: list[Bytes]
    files: Files
    world_size: int = 1
    step: int | None = None
    planner_data: Mapping[str, tuple[Any, ...]] | None = None
    notes: list[str] = dataclasses.field(default_factory=list)
    mcore_data: dict[str, dict[str, Any]] | None = None
    finish_checks: Callable[[], None] = nothing_more

    @property
    def num_bytes(self) -> int:
        return sum(tensor.num_bytes for tensor in self.tensors) + sum(item.num_bytes for item in self.objects)


def places_in_state(planner_data: object) -> dict[str, tuple[Any, ...]] | None:
    """DCP's map of names to places in the nested state dict, as far as it is one. Raises ConvertError for text and numbers
    that no file can hold."""
    if not isinstance(planner_data, dict):
        return None
    places = {name: tuple(place) for name, place in planner_data.items()
              if isinstance(name, str) and is_flat(place)}  # fmt: skip
    for name, place in places.items():
        check_parts("planner_data", name, place)
    return places


def check_parts(table: str, name: str, parts: Iterable[object]) -> None:
    """Raises ConvertError."""
    for part in (name, *parts):
        if isinstance(part, str) and not is_utf8(part):
            raise ConvertError(f"{table}: '{ascii(name[:80])[1:-1]}' has text that is no UTF-8")
        if isinstance(part, int) and not -LARGEST <= part <= LARGEST:
            raise ConvertError(f"{table}: '{name[:80]}' has a number of more than 64 bits")


def is_flat(value: object) -> bool:
    return isinstance(value, (tuple, list)) and all(isinstance(part, (str, int)) for part in value)


def facts_of_tensors(mcore_data: object) -> dict[str, dict[str, Any]] | None:
    """Megatron-Core's table of tensors, as far as it is one: texts, numbers and shapes by name. Errors as of
    places_in_state()."""
    if not isinstance(mcore_data, dict):
        return None
    tensors = {
        name: {key: value for key, value in facts.items()
               if isinstance(key, str) and (is_flat(value) or isinstance(value, (str, int, type(None))))}
        for name, facts in mcore_data.items() if isinstance(name, str) and isinstance(facts, dict)
    }  # fmt: skip
    for name, facts in tensors.items():
        check_parts("mcore_data", name, facts)
        for value in facts.values():
            check_parts("mcore_data", name, value if isinstance(value, (tuple, list)) else (value,))
    return tensors
