# SPDX-License-Identifier: Apache-2.0
"""Recomputes the XXH3-64 of written chunks from what h5py reads and looks for them in a
checkpoint's checksum table.

Which boxes were written is only known to the manifest, whose form is the library's own. So boxes
are taken from what HDF5 shows: sources of virtual datasets, hdf5_chunks, and for contiguous
datasets the splits that the index rule can give. A table entry that no box explains is a finding.
"""

import itertools
import math
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import xxhash

from shardmark_tools.checkpoint.checkpoint_reader import Finding, check_group
from shardmark_tools.checkpoint.committed_steps import find_step

Box = tuple[slice, ...]
MOST_PARTS = 64  # shards along one dimension that are tried for contiguous datasets


def stored_bytes(dataset: h5py.Dataset) -> npt.NDArray[Any]:
    """The whole dataset as an array of opaque elements, without any conversion."""
    kind = dataset.id.get_type()
    buffer = np.empty(dataset.shape, dtype=f"V{kind.get_size()}")
    dataset.id.read(h5py.h5s.ALL, h5py.h5s.ALL, buffer, mtype=kind)
    return buffer


def split_offsets(extent: int, parts: int) -> list[tuple[int, int]]:
    """The index rule: parts of ceil(extent / parts), the last ones short; empty ones left out."""
    size = -(-extent // parts)
    return [(first, min(first + size, extent)) for first in range(0, extent, size)]


def virtual_boxes(dataset: h5py.Dataset) -> Iterator[Box]:
    for source in dataset.virtual_sources():
        low, high = source.vspace.get_select_bounds()
        yield tuple(slice(a, b + 1) for a, b in zip(low, high))


def chunked_boxes(dataset: h5py.Dataset) -> Iterator[Box]:
    ranges = [range(0, extent, size) for extent, size in zip(dataset.shape, dataset.chunks)]
    for corner in itertools.product(*ranges):
        yield tuple(
            slice(a, min(a + size, extent))
            for a, size, extent in zip(corner, dataset.chunks, dataset.shape)
        )


def grid_boxes(shape: tuple[int, ...]) -> Iterator[Box]:
    """Boxes of every split of one or two dimensions into up to MOST_PARTS parts each, where the
    number of boxes stays small."""
    yield tuple(slice(0, n) for n in shape)
    cuts = [
        {tuple(split_offsets(extent, parts)) for parts in range(1, min(MOST_PARTS, extent) + 1)}
        for extent in shape
    ]
    whole: list[tuple[tuple[int, int], ...]] = [((0, extent),) for extent in shape]
    for d, e in itertools.combinations_with_replacement(range(len(shape)), 2):
        for first in cuts[d]:
            for second in cuts[e] if e != d else [first]:
                if len(first) * len(second) > MOST_PARTS and d != e:
                    continue
                parts = list(whole)
                parts[d], parts[e] = first, second
                for box in itertools.product(*parts):
                    yield tuple(slice(a, b) for a, b in box)


def candidate_boxes(dataset: h5py.Dataset) -> Iterable[Box]:
    if dataset.ndim == 0:
        return [()]
    if dataset.is_virtual:
        return virtual_boxes(dataset)
    if dataset.chunks:
        return chunked_boxes(dataset)
    return grid_boxes(dataset.shape)


def check_manifest(findings: list[Finding], group: h5py.Group) -> None:
    manifest = group["manifest"][...].tobytes()
    stored = int.from_bytes(manifest[-8:], "little")
    computed = xxhash.xxh3_64_intdigest(manifest[:-8])
    if stored != computed:
        message = f"its last 8 bytes are {stored:016x}, its XXH3-64 is {computed:016x}"
        findings.append(Finding("/shardmark/manifest", message))


def cover_is_complete(dataset: h5py.Dataset, confirmed: list[Box]) -> bool:
    """True if the confirmed boxes touch every element."""
    seen = np.zeros(dataset.shape, dtype=bool)
    for box in confirmed:
        seen[box] = True
    return bool(seen.all())


def check_checksums(directory: pathlib.Path | str, step: int | None = None) -> tuple[list[Finding], int, int]:
    """Findings, the number of table entries and how many of them were recomputed."""
    path = find_step(directory, step) / "checkpoint.h5"
    findings: list[Finding] = []
    with h5py.File(path, "r") as file:
        group = file["shardmark"]
        check_manifest(findings, group)
        if "checksums" not in group:
            return findings, 0, 0
        table = [int(value) for value in group["checksums"][...].astype(np.uint64).reshape(-1)]
        known = set(table)
        explained = set()

        def check_entry(fqn: str, dataset: h5py.Dataset) -> None:
            if math.prod(dataset.shape) == 0:
                return
            elements = stored_bytes(dataset)
            confirmed, tried = [], set()
            for box in candidate_boxes(dataset):
                key = tuple((s.start, s.stop) for s in box)
                if key in tried:
                    continue
                tried.add(key)
                digest = xxhash.xxh3_64_intdigest(np.ascontiguousarray(elements[box]).tobytes())
                if digest in known:
                    explained.add(digest)
                    confirmed.append(box)
            if not cover_is_complete(dataset, confirmed):
                message = f"no set of stored chunks with known checksums covers {dataset.shape}"
                findings.append(Finding(fqn, message))

        check_group(findings, file["tensors"], check_entry)
        check_group(findings, file["objects"], check_entry)
    for position, value in enumerate(table):
        if value not in explained:
            message = f"entry {position}, {value:016x}, fits no chunk that was tried"
            findings.append(Finding("/shardmark/checksums", message))
    return findings, len(table), sum(value in explained for value in table)
