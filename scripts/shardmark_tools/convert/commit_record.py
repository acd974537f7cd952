# SPDX-License-Identifier: Apache-2.0
"""COMMIT: what makes a step loadable, and the hash of a file outside element data that it holds."""

import dataclasses
import os

import xxhash

from shardmark_tools.convert.manifest import FORMAT_VERSION, READABLE_VERSIONS, Manifest, element_ranges
from shardmark_tools.convert.tensors import ConvertError, DamageError

FIRST_LINE = "shardmark checkpoint\n"
READ_BYTES = 1 << 20
FileRecord = tuple[str, int, int | None]  # name, bytes, XXH3-64 outside element data


@dataclasses.dataclass(slots=True)
class CommitRecord:
    """`files`: the entry file first."""

    save_id: str
    step: int
    files: list[FileRecord]
    manifest_address: int
    manifest_bytes: int


def to_text(record: CommitRecord) -> str:
    text = f"{FIRST_LINE}format_version {FORMAT_VERSION}\nsave_id {record.save_id}\nstep {record.step}\n"
    text += "".join(f"file {size} {digest:016x} {name}\n" for name, size, digest in record.files)
    text += f"manifest {record.manifest_address} {record.manifest_bytes}\n"
    return text + f"xxh3 {xxhash.xxh3_64_intdigest(text.encode()):016x}\n"


def parse(text: str, where: object) -> CommitRecord:
    """Raises ConvertError."""
    if not text.startswith(FIRST_LINE):
        raise ConvertError(f"{where}: not a Shardmark COMMIT file")
    lines = [line.partition(" ") for line in text[len(FIRST_LINE) :].splitlines()]
    values = {key: value for key, _, value in lines if key != "file"}
    version = values.get("format_version")
    if version not in [str(readable) for readable in READABLE_VERSIONS]:
        raise ConvertError(f"{where}: format version {version} is unknown, read are {READABLE_VERSIONS}")
    body, _, digest = text.rpartition("xxh3 ")
    if digest != f"{xxhash.xxh3_64_intdigest(body.encode()):016x}\n":
        raise DamageError(f"{where}: damaged: its checksum does not match")
    try:
        address, num_bytes = map(int, values["manifest"].split(" "))
        named = [value for key, _, value in lines if key == "file"]
        files = _files_of_1(named, values) if version == "1" else _files(named)
        return CommitRecord(values["save_id"], int(values["step"]), files, address, num_bytes)
    except (KeyError, ValueError) as error:
        raise DamageError(f"{where}: damaged: {error}") from None


def _files(lines: list[str]) -> list[FileRecord]:
    parts = [line.split(" ", 2) for line in lines]
    return [(name, int(size), int(digest, 16)) for size, digest, name in parts]


def _files_of_1(lines: list[str], values: dict[str, str]) -> list[FileRecord]:
    """Version 1 has a hash of the entry file alone, in a line of its own."""
    parts = [line.split(" ", 1) for line in lines]
    digests = [int(values["structure"], 16), *[None] * (len(parts) - 1)]
    return [(name, int(size), digest) for (size, name), digest in zip(parts, digests)]


def structure_hash(descriptor: int, num_bytes: int, manifest: Manifest, file_number: int = 0) -> int:
    """XXH3-64 of what a file holds outside element data."""
    state, at = xxhash.xxh3_64(), 0
    for address, length in [*element_ranges(manifest, file_number), (num_bytes, 0)]:
        while at < address:
            data = os.pread(descriptor, min(READ_BYTES, address - at), at)
            if not data:
                raise ConvertError(f"the entry file ends at byte {at} of {num_bytes}")
            state.update(data)
            at += len(data)
        at = max(at, address + length)
    return state.intdigest()
