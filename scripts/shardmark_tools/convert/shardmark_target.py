# SPDX-License-Identifier: Apache-2.0
"""Writes a Shardmark checkpoint of file layout `shared`: one HDF5 file, laid out by h5py, its elements
written at the addresses that HDF5 gave."""

import contextlib
import dataclasses
import functools
import json
import math
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence

import h5py
import numpy as np

from shardmark_tools.checkpoint.checkpoint_reader import encode_name
from shardmark_tools.convert.commit_record import CommitRecord, structure_hash, to_text
from shardmark_tools.convert.hdf5_file_object import Hdf5FileObject
from shardmark_tools.convert.hdf5_types import hdf5_type
from shardmark_tools.convert.layout_boxes import Box, Dims
from shardmark_tools.convert.manifest import (
    ALWAYS_PLAIN,
    AS_ASKED,
    CHECKSUM_XXH3,
    DTYPES,
    FORMAT_VERSION,
    NOWHERE,
    Entry,
    Manifest,
    encode,
)
from shardmark_tools.convert.new_folder import NewFolder, new_id
from shardmark_tools.convert.region import Region, always
from shardmark_tools.convert.shardmark_source import SOURCE_DATASET
from shardmark_tools.convert.streaming import Copy, run_copies
from shardmark_tools.convert.tensors import Bytes, Checkpoint, Chunk, ConvertError, Hashes, Tensor, check_values
from shardmark_tools.stop_signals import held

ENTRY_FILE = "checkpoint.h5"
BLOCK = 4096
MOST_PADDING = 0.05
MOST_NAME_BYTES = 60_000
MOST_STEP = 99_999_999


def object_boxes(num_bytes: int) -> list[Box]:
    return [((0,), (num_bytes,))] if num_bytes else []


Pairs = list[tuple[Entry, Tensor | Bytes]]  # what is written, and what it comes from


def entries_of(checkpoint: Checkpoint) -> Pairs:
    """By fqn as UTF-8."""
    pairs: Pairs = []
    for tensor in checkpoint.tensors:
        if tensor.dtype not in DTYPES:
            raise ConvertError(f"'{tensor.fqn}': dtype {tensor.dtype} has no place in this format yet")
        plain = not tensor.shape or not tensor.num_bytes
        boxes = [(chunk.offsets, chunk.sizes) for chunk in tensor.chunks]
        entry = Entry(tensor.fqn, False, tensor.dtype, tensor.shape, boxes)
        entry.reason = ALWAYS_PLAIN if plain else AS_ASKED
        entry.published_dtype = tensor.published_dtype
        pairs.append((entry, tensor))
    for item in checkpoint.objects:
        boxes = object_boxes(item.num_bytes)
        entry = Entry(item.fqn, True, "uint8", (item.num_bytes,), boxes, reason=ALWAYS_PLAIN)
        pairs.append((entry, item))
    for entry, _ in pairs:
        if len(encode_name(entry.fqn).encode()) > MOST_NAME_BYTES:
            raise ConvertError(f"'{entry.fqn[:60]}...': a name of more than {MOST_NAME_BYTES} bytes")
    pairs.sort(key=lambda pair: pair[0].fqn.encode())
    for (first, _), (second, _) in zip(pairs, pairs[1:]):
        if first.fqn == second.fqn:
            raise ConvertError(f"'{first.fqn}': a tensor and an object of one name")
    return pairs


class _EntryFile:
    """The file while h5py has it."""

    def __init__(self, file: Hdf5FileObject, manifest: Manifest):
        access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
        access.set_libver_bounds(h5py.h5f.LIBVER_V18, h5py.h5f.LIBVER_V18)
        access.set_fileobj_driver(h5py.h5fd.fileobj_driver, file)
        sizes = [entry.num_bytes for entry in manifest.entries if entry.num_bytes]
        if sizes and len(sizes) * BLOCK / 2 <= MOST_PADDING * sum(sizes):
            access.set_alignment(BLOCK, BLOCK)
        creation = h5py.h5p.create(h5py.h5p.FILE_CREATE)
        creation.set_obj_track_times(False)
        self._file = h5py.h5f.create(ENTRY_FILE.encode(), h5py.h5f.ACC_TRUNC, creation, access)
        self._plain = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        self._plain.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        self._plain.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        self._plain.set_obj_track_times(False)
        self._groups = {name: h5py.h5g.create(self._file, name.encode())
                        for name in ("tensors", "objects", "shardmark")}  # fmt: skip

    def add(self, group: str, name: str, kind: h5py.h5t.TypeID, shape: Dims, dtype: str = "",
            published: str = "") -> int:  # fmt: skip
        """The new dataset's address, or NOWHERE for one without elements."""
        space = h5py.h5s.create_simple(shape) if shape else h5py.h5s.create(h5py.h5s.SCALAR)
        dataset = h5py.h5d.create(self._groups[group], name.encode(), kind, space, self._plain)
        if dtype:
            h5py.Dataset(dataset).attrs["dtype"] = np.bytes_(dtype)
        if published:
            h5py.Dataset(dataset).attrs["published_dtype"] = np.bytes_(published.encode())
        return int(dataset.get_offset()) if math.prod(shape) else NOWHERE

    def set_attributes(self, manifest: Manifest) -> None:
        attributes = h5py.Group(self._groups["shardmark"]).attrs
        attributes["format_version"] = np.uint64(FORMAT_VERSION)
        attributes["seed"] = np.uint64(manifest.seed)
        attributes["step"] = np.int64(manifest.step)
        attributes["world_size"] = np.int64(manifest.world_size)
        attributes["save_id"] = np.bytes_(manifest.save_id)

    def close(self) -> None:
        self._groups.clear()
        self._file.close()


def lay_out(laid_out: Hdf5FileObject, manifest: Manifest, origin: bytes) -> tuple[int, int]:
    """Makes the file; fills in the entries' places and the checksums' address. Returns the addresses of
    the manifest and of the origin's text. Raises OSError."""
    with held():  # an exception that came out of a file object would be a failed write to HDF5
        return _lay_out(laid_out, manifest, origin)


def _lay_out(laid_out: Hdf5FileObject, manifest: Manifest, origin: bytes) -> tuple[int, int]:
    file = _EntryFile(laid_out, manifest)
    try:
        for entry in manifest.entries:
            group = "objects" if entry.is_object else "tensors"
            dtype = "" if entry.is_object else entry.dtype
            address = file.add(group, encode_name(entry.fqn), hdf5_type(entry.dtype), entry.shape, dtype,
                               entry.published_dtype)  # fmt: skip
            entry.places = [(0, address)]
            laid_out.check()
        file.set_attributes(manifest)
        if manifest.num_chunks:
            kind = h5py.h5t.STD_U64LE.copy()
            manifest.checksums_address = file.add("shardmark", "checksums", kind, (manifest.num_chunks,))
        byte = h5py.h5t.STD_U8LE.copy()
        at = file.add("shardmark", "manifest", byte, (len(encode(manifest)),))
        group, name = SOURCE_DATASET.split("/")
        origin_at = file.add(group, name, byte, (len(origin),)) if origin else NOWHERE
    finally:
        file.close()
    laid_out.check()
    return at, origin_at


@dataclasses.dataclass(slots=True)
class _Job:
    number: int  # of the chunk, among all
    fqn: str
    chunk: Chunk
    target: Region


def chunks_of(source: Tensor | Bytes) -> Sequence[Chunk]:
    """Of an object: all of it, if it has bytes."""
    if isinstance(source, Tensor):
        return source.chunks
    if source.region is None or not source.num_bytes:
        return ()
    return (Chunk((0,), (source.num_bytes,), source.region, (0,), source.expected),)


def keep_checksum(job: _Job, checksums: list[int], values: Hashes) -> None:
    check_values(job.fqn, job.chunk.offsets, job.chunk.expected, values)
    checksums[job.number] = values["xxh3"]


def copies(pairs: Pairs, region_of: Callable[[Entry], Region], checksums: list[int]) -> Iterator[Copy]:
    """Every chunk in the order in which the source has it; `checksums` is filled by chunk number."""
    jobs: list[_Job] = []
    number = 0
    for entry, source in pairs:
        target = region_of(entry)
        for at, chunk in enumerate(chunks_of(source)):
            jobs.append(_Job(number + at, source.fqn, chunk, target))
        number += len(entry.boxes)
    jobs.sort(key=lambda job: (job.chunk.region.name, job.chunk.region.address))
    for job in jobs:
        chunk = job.chunk
        done = functools.partial(keep_checksum, job, checksums)
        yield Copy(chunk.region, chunk.region_offsets, job.target, chunk.offsets, chunk.sizes,
                   {"xxh3", *chunk.expected}, done)  # fmt: skip


@contextlib.contextmanager
def made_if_missing(directory: pathlib.Path) -> Iterator[None]:
    """A folder that was made here goes with what failed in it."""
    try:
        directory.mkdir()
    except FileExistsError:
        yield
        return
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # another has put something there
            directory.rmdir()
        raise


def write_shardmark(checkpoint: Checkpoint, directory: pathlib.Path, step: int) -> tuple[pathlib.Path, int]:
    """Writes DIRECTORY/step-NNNNNNNN. Returns (its path, bytes). Raises ConvertError, OSError."""
    if not 0 <= step <= MOST_STEP:
        raise ConvertError(f"step {step}: expected 0 to {MOST_STEP}")
    pairs, save_id = entries_of(checkpoint), new_id()
    manifest = Manifest(step, 0, save_id, checkpoint.world_size, 0, CHECKSUM_XXH3, -1, [ENTRY_FILE],
                        [entry for entry, _ in pairs])  # fmt: skip
    kept = {"planner_data": checkpoint.planner_data, "mcore_data": checkpoint.mcore_data}
    kept = {name: value for name, value in kept.items() if value}
    origin = json.dumps(kept).encode() if kept else b""
    final = directory / f"step-{step:08d}"
    with made_if_missing(directory), NewFolder(final, save_id, checkpoint.finish_checks) as folder:
        file = folder.create(ENTRY_FILE, 0)
        address, origin_address = lay_out(Hdf5FileObject(file, folder.path_of(ENTRY_FILE)), manifest, origin)
        num_bytes = os.fstat(file).st_size
        folder.reserve(ENTRY_FILE, num_bytes)

        past_cache = always(folder.past_cache(ENTRY_FILE))

        def region_of(entry: Entry) -> Region:
            return Region(always(file), folder.path_of(ENTRY_FILE), entry.places[0][1], entry.shape,
                          entry.num_bytes // max(math.prod(entry.shape), 1), past_cache=past_cache)  # fmt: skip

        checksums = [0] * manifest.num_chunks
        run_copies(copies(pairs, region_of, checksums))
        if checksums:
            folder.write(ENTRY_FILE, b"".join(v.to_bytes(8, "little") for v in checksums), manifest.checksums_address)
        if origin:
            folder.write(ENTRY_FILE, origin, origin_address)
        encoded = encode(manifest)
        folder.write(ENTRY_FILE, encoded, address)
        structure = structure_hash(file, num_bytes, manifest)
        record = CommitRecord(save_id, step, [(ENTRY_FILE, num_bytes, structure)], address, len(encoded))
        folder.create("COMMIT", 0)
        folder.write("COMMIT", to_text(record).encode())
        folder.commit()
    return final, num_bytes
