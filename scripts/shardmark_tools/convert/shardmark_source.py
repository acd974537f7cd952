# SPDX-License-Identifier: Apache-2.0
"""A Shardmark checkpoint, of any file layout or back end, by its manifest."""

import json
import os
import pathlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from shardmark_tools.checkpoint.committed_steps import CheckpointError, find_step
from shardmark_tools.convert import manifest as manifests
from shardmark_tools.convert.commit_record import CommitRecord, parse, structure_hash
from shardmark_tools.convert.layout_boxes import Dims
from shardmark_tools.convert.open_files import Files, region_of_file
from shardmark_tools.convert.region import Region
from shardmark_tools.convert.tensors import (
    Bytes,
    Checkpoint,
    Chunk,
    ConvertError,
    DamageError,
    Tensor,
    facts_of_tensors,
    places_in_state,
)
from shardmark_tools.job.dtypes import ITEM_SIZES
from shardmark_tools.refusal import Refused
from shardmark_tools.regular_file import open_regular, regular_descriptor

MOST_COMMIT_BYTES = 64 << 20
SOURCE_DATASET = "shardmark/source"  # what a conversion keeps of where it comes from


def read_commit(folder: pathlib.Path) -> CommitRecord:
    path = folder / "COMMIT"
    try:
        with open_regular(path) as file:
            data = file.read(MOST_COMMIT_BYTES + 1)
    except Refused as error:
        raise DamageError(str(error)) from None
    if len(data) > MOST_COMMIT_BYTES:
        raise DamageError(f"{path}: more than {MOST_COMMIT_BYTES} bytes")
    return parse(data.decode("utf-8", "replace"), path)


def read_manifest(folder: pathlib.Path, record: CommitRecord) -> tuple[manifests.Manifest, list[int] | None]:
    """(the Manifest, its checksums), once sizes are as committed."""
    for name, num_bytes, _ in record.files:
        if "/" in name or name.startswith(".") or not name:
            raise ConvertError(f"{folder}: file name '{name}' is not a plain name")
        found = (folder / name).stat().st_size
        if found != num_bytes:
            raise DamageError(f"{folder / name}: {found} bytes, {num_bytes} were committed")
    entry_file, num_bytes, _ = record.files[0]
    descriptor = regular_descriptor(folder / entry_file)
    try:
        if not 0 <= record.manifest_address <= num_bytes - record.manifest_bytes:
            raise ConvertError(f"{folder}: the manifest lies outside the entry file")
        data = os.pread(descriptor, record.manifest_bytes, record.manifest_address)
        manifest = manifests.decode(data, f"{folder}: manifest")
        if (manifest.save_id, manifest.step) != (record.save_id, record.step):
            raise ConvertError(f"{folder}: COMMIT and manifest are of different saves")
        if manifest.files != [name for name, _, _ in record.files]:
            raise ConvertError(f"{folder}: COMMIT and manifest name different files")
        return manifest, read_checksums(descriptor, manifest)
    finally:
        os.close(descriptor)


def check_structure(folder: pathlib.Path, record: CommitRecord, manifest: manifests.Manifest) -> None:
    """Every file whose hash is known, outside its elements."""
    for number, (name, num_bytes, digest) in enumerate(record.files):
        if digest is None:
            continue
        descriptor = regular_descriptor(folder / name)
        try:
            found = structure_hash(descriptor, num_bytes, manifest, number)
        finally:
            os.close(descriptor)
        if found != digest:
            raise DamageError(f"{folder / name}: not as it was committed (outside element data)")


def check_meanwhile(folder: pathlib.Path, record: CommitRecord, manifest: manifests.Manifest) -> Callable[[], None]:
    """Begins check_structure(), which reads many short pieces; the function returned waits for it and raises what it raised."""
    with_thread = ThreadPoolExecutor(1)
    check = with_thread.submit(check_structure, folder, record, manifest)
    with_thread.shutdown(wait=False)
    return check.result


def read_checksums(descriptor: int, manifest: manifests.Manifest) -> list[int] | None:
    """One a chunk, or None."""
    if manifest.checksum == manifests.CHECKSUM_NONE or manifest.num_chunks == 0:
        return None
    data = os.pread(descriptor, 8 * manifest.num_chunks, manifest.checksums_address)
    return [int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data), 8)]


def read_origin(folder: pathlib.Path, record: CommitRecord) -> dict[str, Any]:
    """What a conversion kept: {} for checkpoints that Shardmark saved."""
    if record.files[0][0] != "checkpoint.h5":
        return {}
    import h5py

    path = folder / record.files[0][0]
    with h5py.File(path, "r") as file:
        if SOURCE_DATASET not in file:
            return {}
        data = file[SOURCE_DATASET][...].tobytes()
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DamageError(f"{path}: {SOURCE_DATASET} holds no JSON: {error}") from None
    return value if isinstance(value, dict) else {}


def read_shardmark(directory: pathlib.Path, step: int | None = None, with_origin: bool = True) -> Checkpoint:
    """`with_origin`: with what a conversion kept of where the checkpoint comes from, which HDF5 reads once the structure
    has been checked; else that is still being checked. Raises ConvertError, OSError."""
    try:
        folder = find_step(directory, step)
    except CheckpointError as error:
        raise ConvertError(str(error)) from None
    record = read_commit(folder)
    if folder.name != f"step-{record.step:08d}":
        raise ConvertError(f"{folder}: its COMMIT is of step {record.step}")
    manifest, checksums = read_manifest(folder, record)
    files, sizes = Files(), [num_bytes for _, num_bytes, _ in record.files]
    paths = [folder / name for name in manifest.files]
    found = Checkpoint([], [], files, max(manifest.world_size, 1), manifest.step)
    if with_origin:
        check_structure(folder, record, manifest)
    else:
        found.finish_checks = check_meanwhile(folder, record, manifest)
    origin = read_origin(folder, record) if with_origin else {}
    found.planner_data = places_in_state(origin.get("planner_data"))
    found.mcore_data = facts_of_tensors(origin.get("mcore_data"))
    number = 0
    for entry in manifest.entries:
        chunks = []
        for at, (offsets, sizes_of_box) in enumerate(entry.boxes):
            stored, first = region_of(entry, at, files, paths, sizes)
            chunks.append(Chunk(offsets, sizes_of_box, stored, tuple(o - f for o, f in zip(offsets, first)),
                                {"xxh3": checksums[number]} if checksums else {}))  # fmt: skip
            number += 1
        if entry.is_object:
            region, expected = (chunks[0].region, chunks[0].expected) if chunks else (None, {})
            found.objects.append(Bytes(entry.fqn, entry.num_bytes, region, expected))
        else:
            found.tensors.append(Tensor(entry.fqn, entry.dtype, entry.shape, chunks, entry.published_dtype))
    if manifest.checksum == manifests.CHECKSUM_NONE:
        found.notes.append(f"{folder}: saved without checksums, so its elements are not checked")
    return found


def region_of(entry: manifests.Entry, number: int, files: Files, paths: list[pathlib.Path],
              sizes: list[int]) -> tuple[Region, Dims]:  # fmt: skip
    """The Region that holds box `number`, and the global offsets of its corner."""
    file, address, offsets, stored = entry.piece(number)
    item = ITEM_SIZES[entry.dtype]
    if file >= len(paths) or address > sizes[file]:
        raise ConvertError(f"manifest: '{entry.fqn}' lies outside its file")
    return region_of_file(files, paths[file], address, stored, item), offsets
