# SPDX-License-Identifier: Apache-2.0
"""Writes a Shardmark checkpoint of file layout `shared`: one HDF5 file, laid out by h5py, its elements
written at the addresses that HDF5 gave."""

import json
import math
import os
import pathlib

import h5py
import numpy as np

from shardmark_tools.checkpoint.checkpoint_reader import encode_name
from shardmark_tools.convert.commit_record import CommitRecord, structure_hash, to_text
from shardmark_tools.convert.hdf5_types import hdf5_type
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
from shardmark_tools.convert.region import Region
from shardmark_tools.convert.shardmark_source import SOURCE_DATASET
from shardmark_tools.convert.streaming import Copy, run_copies
from shardmark_tools.convert.tensors import ConvertError, DamageError

ENTRY_FILE = "checkpoint.h5"
BLOCK = 4096
MOST_PADDING = 0.05
MOST_NAME_BYTES = 60_000
MOST_STEP = 99_999_999


def object_boxes(num_bytes):
    return [((0,), (num_bytes,))] if num_bytes else []


def entries_of(checkpoint):
    """The manifest's entries, and what each comes from, by fqn as UTF-8."""
    pairs = []
    for tensor in checkpoint.tensors:
        if tensor.dtype not in DTYPES:
            raise ConvertError(f"'{tensor.fqn}': dtype {tensor.dtype} has no place in this format yet")
        plain = not tensor.shape or not tensor.num_bytes
        boxes = [(chunk.offsets, chunk.sizes) for chunk in tensor.chunks]
        entry = Entry(tensor.fqn, False, tensor.dtype, tensor.shape, boxes)
        entry.reason = ALWAYS_PLAIN if plain else AS_ASKED
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

    def __init__(self, path, manifest):
        access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
        access.set_libver_bounds(h5py.h5f.LIBVER_V18, h5py.h5f.LIBVER_V18)
        sizes = [entry.num_bytes for entry in manifest.entries if entry.num_bytes]
        if sizes and len(sizes) * BLOCK / 2 <= MOST_PADDING * sum(sizes):
            access.set_alignment(BLOCK, BLOCK)
        creation = h5py.h5p.create(h5py.h5p.FILE_CREATE)
        creation.set_obj_track_times(False)
        self._file = h5py.h5f.create(bytes(path), h5py.h5f.ACC_EXCL, creation, access)
        self._plain = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        self._plain.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        self._plain.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        self._plain.set_obj_track_times(False)
        self._groups = {name: h5py.h5g.create(self._file, name.encode())
                        for name in ("tensors", "objects", "shardmark")}  # fmt: skip

    def add(self, group, name, kind, shape, dtype=None):
        """The new dataset's address, or NOWHERE for one without elements."""
        space = h5py.h5s.create_simple(shape) if shape else h5py.h5s.create(h5py.h5s.SCALAR)
        dataset = h5py.h5d.create(self._groups[group], name.encode(), kind, space, self._plain)
        if dtype:
            h5py.Dataset(dataset).attrs["dtype"] = np.bytes_(dtype)
        return dataset.get_offset() if math.prod(shape) else NOWHERE

    def set_attributes(self, manifest):
        attributes = h5py.Group(self._groups["shardmark"]).attrs
        attributes["format_version"] = np.uint64(FORMAT_VERSION)
        attributes["seed"] = np.uint64(manifest.seed)
        attributes["step"] = np.int64(manifest.step)
        attributes["world_size"] = np.int64(manifest.world_size)
        attributes["save_id"] = np.bytes_(manifest.save_id)

    def close(self):
        self._groups.clear()
        self._file.close()


def lay_out(path, manifest, origin):
    """Makes the file; fills in the entries' places and the checksums' address. Returns the addresses of
    the manifest and of the origin's text."""
    file = _EntryFile(path, manifest)
    try:
        for entry in manifest.entries:
            group = "objects" if entry.is_object else "tensors"
            dtype = None if entry.is_object else entry.dtype
            address = file.add(group, encode_name(entry.fqn), hdf5_type(entry.dtype), entry.shape, dtype)
            entry.places = [(0, address)]
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
    return at, origin_at


def copies(pairs, region_of, checksums):
    """Every chunk in the order in which the source has it; `checksums` is filled by chunk number."""
    jobs, number = [], 0
    for entry, source in pairs:
        target = region_of(entry)
        if entry.is_object:
            if source.num_bytes:
                jobs.append((number, source.fqn, source.region, (0,), target, (0,),
                             (source.num_bytes,), source.expected))  # fmt: skip
        else:
            for at, chunk in enumerate(source.chunks):
                jobs.append((number + at, source.fqn, chunk.region, chunk.region_offsets, target,
                             chunk.offsets, chunk.sizes, chunk.expected))  # fmt: skip
        number += len(entry.boxes)
    jobs.sort(key=lambda job: (job[2].name, job[2].address))
    for place, fqn, region, region_offsets, target, offsets, sizes, expected in jobs:

        def done(values, place=place, fqn=fqn, offsets=offsets, expected=expected):
            check_values(fqn, offsets, expected, values)
            checksums[place] = values["xxh3"]

        hashes = {"xxh3", *expected}
        yield Copy(region, region_offsets, target, offsets, sizes, hashes, done)


def check_values(fqn, offsets, expected, values):
    for kind, value in expected.items():
        if values[kind] != value:
            raise DamageError(f"'{fqn}': the chunk at {offsets} has {kind} {values[kind]:x}, "
                               f"expected {value:x}")  # fmt: skip


def write_shardmark(checkpoint, directory, step):
    """Writes DIRECTORY/step-NNNNNNNN. Returns (its path, bytes). Raises ConvertError, OSError."""
    if not 0 <= step <= MOST_STEP:
        raise ConvertError(f"step {step}: expected 0 to {MOST_STEP}")
    directory = pathlib.Path(directory)
    directory.mkdir(exist_ok=True)
    pairs, save_id = entries_of(checkpoint), new_id()
    manifest = Manifest(step, 0, save_id, checkpoint.world_size, 0, CHECKSUM_XXH3, -1, [ENTRY_FILE],
                        [entry for entry, _ in pairs])  # fmt: skip
    origin = b""
    if checkpoint.planner_data:
        origin = json.dumps({"planner_data": checkpoint.planner_data}).encode()
    final = directory / f"step-{step:08d}"
    with NewFolder(final, f".{final.name}.partial-{save_id}") as folder:
        address, origin_address = lay_out(folder.path / ENTRY_FILE, manifest, origin)
        file = folder.adopt(ENTRY_FILE)
        num_bytes = os.fstat(file).st_size
        os.posix_fallocate(file, 0, num_bytes)

        def region_of(entry):
            return Region(lambda: file, ENTRY_FILE, entry.places[0][1], entry.shape,
                          entry.num_bytes // max(math.prod(entry.shape), 1))  # fmt: skip

        checksums = [0] * manifest.num_chunks
        run_copies(copies(pairs, region_of, checksums))
        os.pwrite(file, b"".join(v.to_bytes(8, "little") for v in checksums), manifest.checksums_address)
        os.pwrite(file, origin, origin_address) if origin else None
        encoded = encode(manifest)
        os.pwrite(file, encoded, address)
        os.fsync(file)
        structure = structure_hash(file, num_bytes, manifest)
        files = [(ENTRY_FILE, num_bytes, structure)]
        record = CommitRecord(save_id, step, files, address, len(encoded))
        commit = folder.create("COMMIT", 0)
        os.write(commit, to_text(record).encode())
        folder.commit()
    return final, num_bytes
