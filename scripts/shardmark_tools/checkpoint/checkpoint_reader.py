# SPDX-License-Identifier: Apache-2.0
"""Reads a committed checkpoint with h5py alone and compares every element with the law of values.

No Shardmark code is used: this is what any HDF5 program sees, virtual datasets included.
"""

import dataclasses
import itertools
import math
import pathlib
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from shardmark_tools.checkpoint.committed_steps import CheckpointError, find_step
from shardmark_tools.checkpoint.element_values import (
    BYTE_TYPES,
    COMPLEX_TYPES,
    DTYPE_NAMES,
    FLOAT8_FIELDS,
    ITEM_SIZES,
    expected_bits,
    expected_object_bytes,
    expected_values,
)

SLAB_ELEMENTS = 1 << 21
BIT_TYPES: dict[str, Any] = {"bfloat16": np.uint16, **{name: np.uint8 for name in FLOAT8_FIELDS}}


@dataclasses.dataclass
class Finding:
    """One wrong thing: where it lies (tensor, element), what was expected, what was found."""

    entry: str
    message: str

    def __str__(self) -> str:
        return f"{self.entry}: {self.message}"


@dataclasses.dataclass
class Report:
    path: pathlib.Path
    seed: int
    tensors: int = 0
    objects: int = 0
    elements: int = 0
    findings: list = dataclasses.field(default_factory=list)


def encode_name(fqn: str) -> str:
    """The dataset name of an fqn."""
    if fqn == "":
        return "%"
    if fqn == ".":
        return "%2E"
    return "".join(f"%{ord(c):02X}" if ord(c) < 0x20 or c in "\x7f/%" else c for c in fqn)


def decode_name(name: str) -> str:
    """The fqn of a dataset name. Raises ValueError for a name that encode_name() never gives."""
    fqn = "" if name == "%" else re.sub(r"%([0-9A-F]{2})", lambda m: chr(int(m[1], 16)), name)
    if encode_name(fqn) != name:
        raise ValueError(f"'{name}' is not an encoded name")
    return fqn


def row_major_slabs(shape: tuple[int, ...], limit: int = SLAB_ELEMENTS) -> Iterator[tuple[Any, int, int]]:
    """Yields (selection, first global index, count): boxes that are contiguous in row-major order
    and together make the whole shape."""
    cut = len(shape)  # dimensions from `cut` on fit whole into one slab
    count = 1
    while cut > 0 and count * shape[cut - 1] <= limit:
        cut -= 1
        count *= shape[cut]
    if cut == 0:
        yield (slice(None),) * len(shape), 0, count
        return
    rows = max(1, limit // count)
    start = 0
    for outer in itertools.product(*(range(n) for n in shape[: cut - 1])):
        for first in range(0, shape[cut - 1], rows):
            last = min(first + rows, shape[cut - 1])
            yield (*outer, slice(first, last)), start, (last - first) * count
            start += (last - first) * count


def read_bits(dataset: h5py.Dataset, selection: Any, count: int, dtype: str) -> npt.NDArray[Any]:
    """Stored bytes without any conversion: the memory type is the file's own."""
    buffer = np.empty(count, dtype=BIT_TYPES[dtype])
    space = dataset.id.get_space()
    if dataset.shape:
        chosen = h5py._hl.selections.select(dataset.shape, selection, dataset)  # noqa: SLF001
        space = chosen.id
    memory = h5py.h5s.create_simple((count,))
    dataset.id.read(memory, space, buffer, mtype=dataset.id.get_type())
    return buffer


def first_difference(found: Any, expected: Any, shape: tuple[int, ...], start: int) -> str | None:
    """Message for the first wrong element, or None."""
    found = np.asarray(found).reshape(-1)
    wrong = np.flatnonzero(found != expected)
    if wrong.size == 0:
        return None
    at = int(wrong[0])
    index = [int(i) for i in np.unravel_index(start + at, shape)] if shape else []
    return f"element {index}: expected {expected[at]!s}, found {found[at]!s}"


def attribute_text(dataset: h5py.Dataset, name: str) -> Any:
    value = dataset.attrs.get(name)
    return value.decode() if isinstance(value, bytes) else value


def type_problem(dataset: h5py.Dataset, dtype: str) -> str | None:
    """Message if the HDF5 type is not the natural one of `dtype`, or None."""
    stored = dataset.id.get_type()
    if stored.get_size() != ITEM_SIZES[dtype]:
        return f"dtype {dtype} has {ITEM_SIZES[dtype]} bytes an element, stored: {stored.get_size()}"
    kinds = {"b": "bool", "f": "float", "i": "int", "u": "uint", "c": "complex"}
    named = re.match(r"bool|b?float|u?int|complex", "uint8" if dtype in BYTE_TYPES else dtype)
    wanted = named[0].replace("bfloat", "float") if named else dtype
    found = kinds.get(dataset.dtype.kind, dataset.dtype.kind)
    if found != wanted:
        return f"dtype {dtype} is stored as {dataset.dtype}"
    if dtype in COMPLEX_TYPES:
        stored = stored.get_member_type(0)
    if ITEM_SIZES[dtype] > 1 and stored.get_order() != h5py.h5t.ORDER_LE:
        return "stored big-endian"
    return None


def check_tensor(report: Report, fqn: str, dataset: h5py.Dataset) -> None:
    dtype = attribute_text(dataset, "dtype")
    if dtype not in DTYPE_NAMES:
        report.findings.append(Finding(fqn, f"attribute dtype is {dtype!r}, none of {DTYPE_NAMES}"))
        return
    problem = type_problem(dataset, dtype)
    if problem:
        report.findings.append(Finding(fqn, problem))
        return
    if 0 in dataset.shape:
        return
    for selection, start, count in row_major_slabs(dataset.shape):
        expected = expected_values(fqn, report.seed, dtype, start, count)
        problem = first_difference(dataset[selection], expected, dataset.shape, start)
        if problem is None and dtype in BIT_TYPES:
            bits = read_bits(dataset, selection, count, dtype)
            expected = expected_bits(fqn, report.seed, dtype, start, count)
            problem = first_difference(bits, expected, dataset.shape, start)
            problem = problem and f"{problem} (bits)"
        if problem:
            report.findings.append(Finding(fqn, f"dtype {dtype}, shape {dataset.shape}, {problem}"))
            return
    report.elements += math.prod(dataset.shape)


def check_object(report: Report, fqn: str, dataset: h5py.Dataset) -> None:
    if dataset.dtype != np.uint8 or dataset.ndim != 1:
        message = f"an object is 1-D uint8, found {dataset.dtype} {dataset.shape}"
        report.findings.append(Finding(fqn, message))
        return
    if dataset.shape[0] == 0:
        return
    expected = expected_object_bytes(fqn, report.seed, dataset.shape[0])
    problem = first_difference(dataset[...], expected, dataset.shape, 0)
    if problem:
        report.findings.append(Finding(fqn, f"object of {dataset.shape[0]} bytes, {problem}"))


def check_group(findings: list[Finding], group: h5py.Group, check: Callable[[str, h5py.Dataset], None]) -> int:
    """Calls check(fqn, dataset) for every entry; returns their number."""
    for name in group:
        link = f"{group.name}/{name}"
        try:
            fqn = decode_name(name)
        except ValueError as error:
            findings.append(Finding(link, str(error)))
            continue
        if not isinstance(group[name], h5py.Dataset):
            findings.append(Finding(link, "not a dataset"))
            continue
        try:
            check(fqn, group[name])
        except OSError as error:
            findings.append(Finding(fqn, f"HDF5 cannot read it: {error}"))
    return len(group)


def check_checkpoint(directory: pathlib.Path | str, step: int | None = None,
                     expected_seed: int | None = None) -> Report:  # fmt: skip
    """Compares every element of every tensor and object. Raises CheckpointError if there is
    nothing that can be opened."""
    path = find_step(directory, step) / "checkpoint.h5"
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise CheckpointError(f"{path}: {error}") from error
    with file:
        for name in ("tensors", "objects", "shardmark"):
            if not isinstance(file.get(name), h5py.Group):
                raise CheckpointError(f"{path}: no group /{name}")
        if "seed" not in file["shardmark"].attrs:
            raise CheckpointError(f"{path}: /shardmark has no attribute seed")
        report = Report(path, int(file["shardmark"].attrs["seed"]))
        findings = report.findings
        if expected_seed is not None and report.seed != expected_seed:
            message = f"attribute seed: expected {expected_seed}, found {report.seed}"
            findings.append(Finding("/shardmark", message))
        report.tensors = check_group(findings, file["tensors"], partial(check_tensor, report))
        report.objects = check_group(findings, file["objects"], partial(check_object, report))
    return report
