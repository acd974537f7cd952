# SPDX-License-Identifier: Apache-2.0
"""Tensors of a rank's parts for the adapters of PyTorch, with values that are known, and what its versions need."""

import dataclasses
import importlib
import os
from collections.abc import Iterable
from typing import Any

from shardmark_tools.peers.protocol import Part, Request

# What every PyTorch has under its own name; all else is held as bytes.
PLAIN = {"float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8"}
POISON = 0xA5


def import_torch(threads: int = 1) -> Any:
    """One thread a rank, as Shardmark's own ranks have for what is no transfer."""
    import torch

    torch.set_num_threads(threads)
    return torch


def import_sharded_tensor() -> Any:
    """torch.distributed._shard.sharded_tensor. PyTorch before 2.0 has a dataclass without a hash as the default of another, which
    Python refuses from 3.11 on: it gets one while the package is imported. Nothing else is touched."""
    real = dataclasses.dataclass

    def lenient(cls: Any = None, /, **options: Any) -> Any:
        def wrap(made: Any) -> Any:
            return real(made, **{**options, "unsafe_hash": True} if made.__name__ == "TensorProperties" else options)

        return wrap if cls is None else wrap(cls)

    dataclasses.dataclass = lenient
    try:
        return importlib.import_module("torch.distributed._shard.sharded_tensor")
    finally:
        dataclasses.dataclass = real


def held_form(part: Part, itemsize: int) -> Part:
    """The part as PyTorch can hold it: no scalars, no dtypes that some version lacks."""
    shape, offsets, sizes = part.shape or [1], part.offsets or [0], part.sizes or [1]
    if part.dtype in PLAIN:
        return Part(part.fqn, part.dtype, shape, offsets, sizes)
    return Part(part.fqn, "uint8", *([*dims[:-1], dims[-1] * itemsize] for dims in (shape, offsets, sizes)))


def itemsize_of(dtype: str) -> int:
    return 1 if dtype == "bool" or dtype.startswith("float8") else int(dtype.lstrip("abcdefghijklmnopqrstuvwxyz")) // 8


def empty_tensors(torch: Any, parts: Iterable[Part]) -> list[tuple[Part, Any]]:
    """Storage of its own for each, every byte of it written."""
    made = []
    for part in parts:
        held = held_form(part, itemsize_of(part.dtype))
        tensor = torch.empty(held.sizes, dtype=getattr(torch, held.dtype))
        as_bytes(torch, tensor).fill_(POISON)
        made.append((held, tensor))
    return made


def as_bytes(torch: Any, tensor: Any) -> Any:
    return tensor.view(-1).view(torch.uint8)


def pattern(torch: Any, count: int, number: int) -> Any:
    """Bytes that differ within a tensor and between tensors."""
    words = torch.arange(-(-count // 8), dtype=torch.int64).mul_(0x1E3779B97F4A7C15).add_(number * 0x51B54A32D192ED03 % (1 << 62))
    return words.view(torch.uint8)[:count]


def fill(torch: Any, tensors: Iterable[tuple[Part, Any]]) -> None:
    for number, (_, tensor) in enumerate(tensors):
        flat = as_bytes(torch, tensor)
        flat.copy_(pattern(torch, flat.numel(), number))


def first_difference(torch: Any, tensors: Iterable[tuple[Part, Any]]) -> str | None:
    """The tensor that has other bytes than fill() gave."""
    for number, (part, tensor) in enumerate(tensors):
        flat = as_bytes(torch, tensor)
        if not torch.equal(flat, pattern(torch, flat.numel(), number)):
            return part.fqn
    return None


def bytes_of(torch: Any, tensors: Iterable[tuple[Part, Any]]) -> int:
    return sum(as_bytes(torch, tensor).numel() for _, tensor in tensors)


def sync_files(paths: Iterable[str], directory: str) -> None:
    """What the library has left in the cache: DCP 1.13 syncs before its buffer is empty, torch.save never does."""
    for path in [*paths, directory]:
        file = os.open(path, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)


def unique_name(part: Part) -> str:
    """Several parts of one tensor may lie on a rank."""
    return f"{part.fqn}@{','.join(map(str, part.offsets))}"


def rank_file(request: Request, ending: str) -> str:
    return os.path.join(request.directory, f"rank-{request.rank:05}.{ending}")
