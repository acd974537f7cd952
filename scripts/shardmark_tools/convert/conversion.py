# SPDX-License-Identifier: Apache-2.0
"""Which reader and which writer a conversion takes."""

import argparse
import dataclasses
import os
import pathlib

from shardmark_tools.checkpoint.committed_steps import STEP_PATTERN
from shardmark_tools.convert.selection import select
from shardmark_tools.convert.tensors import Checkpoint, ConvertError

METADATA_FILE = ".metadata"


@dataclasses.dataclass
class Converted:
    path: pathlib.Path
    kind: str
    tensors: int
    objects: int
    num_bytes: int
    notes: list[str]


def kind_of_source(path: pathlib.Path) -> str:
    if not path.exists():
        raise ConvertError(f"{path}: no such file or directory")
    if path.is_file():
        return "safetensors"
    if not path.is_dir():
        raise ConvertError(f"{path}: not a regular file")
    if os.path.lexists(path / METADATA_FILE):  # where it is no file, its reader says so
        return "dcp"
    if any(STEP_PATTERN.fullmatch(entry.name) for entry in path.iterdir()):
        return "shardmark"
    if any(entry.name.endswith((".safetensors", ".safetensors.index.json")) for entry in path.iterdir()):
        return "safetensors"
    raise ConvertError(f"{path}: no .metadata, no step-NNNNNNNN, no *.safetensors")


# Readers and writers are imported where they are wanted: some need h5py and numpy, which take longer to load than a small
# checkpoint to convert.


def read_source(kind: str, target: str, options: argparse.Namespace) -> Checkpoint:
    if kind == "dcp":
        from shardmark_tools.convert.dcp_source import read_dcp
        from shardmark_tools.job.limits import Limits

        return read_dcp(options.source, Limits(options.seconds, options.memory))
    if kind == "shardmark":
        from shardmark_tools.convert.shardmark_source import read_shardmark

        return read_shardmark(options.source, options.step, with_origin=target != "safetensors")
    from shardmark_tools.convert.safetensors_source import read_safetensors_checkpoint

    return read_safetensors_checkpoint(options.source)


def write_target(kind: str, checkpoint: Checkpoint, options: argparse.Namespace) -> tuple[pathlib.Path, int, list[str]]:
    """Returns (what was made, bytes, notes)."""
    if kind == "shardmark":
        from shardmark_tools.convert.shardmark_target import write_shardmark

        step = options.step if options.step is not None else checkpoint.step or 0
        return *write_shardmark(checkpoint, options.target, step), []
    if kind == "dcp":
        from shardmark_tools.convert.dcp_target import write_dcp

        return *write_dcp(checkpoint, options.target, options.torch), []
    from shardmark_tools.convert.safetensors_target import write_safetensors

    return write_safetensors(checkpoint, options.target, options.shard_bytes)


def convert(options: argparse.Namespace) -> Converted:
    """`options`: the command's. Raises ConvertError, LimitError, RegionError, OSError."""
    source = kind_of_source(options.source)
    target = options.to or ("safetensors" if source == "shardmark" else "shardmark")
    if not options.target.absolute().parent.is_dir():
        raise ConvertError(f"{options.target.absolute().parent}: no such directory")
    checkpoint = read_source(source, target, options)
    try:
        select(checkpoint, options.only, options.strip)
        notes = list(checkpoint.notes)
        path, num_bytes, more = write_target(target, checkpoint, options)
    finally:
        checkpoint.files.close()
    return Converted(path, target, len(checkpoint.tensors), len(checkpoint.objects), num_bytes, notes + more)
