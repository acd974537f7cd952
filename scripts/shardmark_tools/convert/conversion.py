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
    if is_step(path) or any(STEP_PATTERN.fullmatch(entry.name) for entry in path.iterdir()):
        return "shardmark"
    if any(entry.name.endswith((".safetensors", ".safetensors.index.json")) for entry in path.iterdir()):
        return "safetensors"
    raise ConvertError(f"{path}: no .metadata, no step-NNNNNNNN, no *.safetensors")


def is_step(path: pathlib.Path) -> bool:
    """Is it itself the folder of a committed step?"""
    return bool(STEP_PATTERN.fullmatch(path.resolve().name)) and os.path.lexists(path / "COMMIT")


def directory_and_step(path: pathlib.Path, step: int | None) -> tuple[pathlib.Path, int | None]:
    """Of a Shardmark checkpoint that is given by its directory or by one step's folder in it."""
    if not is_step(path):
        return path, step
    path = path.resolve()
    number = int(path.name.removeprefix("step-"))
    if step not in (None, number):
        raise ConvertError(f"{path}: --step {step} of the folder of step {number}")
    return path.parent, number


def check_arguments(source: str, target: str, options: argparse.Namespace) -> None:
    """What can be said before anything is read. Raises ConvertError."""
    if options.step is not None and "shardmark" not in (source, target):
        raise ConvertError(f"--step {options.step}: neither {source} nor {target} has steps")
    path = options.target.absolute()
    if not path.parent.is_dir():
        raise ConvertError(f"{path.parent}: no such directory")
    if target != "shardmark" and os.path.lexists(path):
        raise ConvertError(f"{options.target}: exists already")
    if target == "shardmark" and os.path.lexists(path) and not path.is_dir():
        raise ConvertError(f"{options.target}: not a directory")


# Readers and writers are imported where they are wanted: some need h5py and numpy, which take longer to load than a small
# checkpoint to convert.


def read_source(kind: str, target: str, options: argparse.Namespace) -> Checkpoint:
    if kind == "dcp":
        from shardmark_tools.convert.dcp_source import read_dcp
        from shardmark_tools.job.limits import Limits

        return read_dcp(options.source, Limits(options.seconds, options.memory))
    if kind == "shardmark":
        from shardmark_tools.convert.shardmark_source import read_shardmark

        return read_shardmark(*directory_and_step(options.source, options.step), with_origin=target != "safetensors")
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
    check_arguments(source, target, options)
    checkpoint = read_source(source, target, options)
    try:
        select(checkpoint, options.only, options.strip)
        notes = list(checkpoint.notes)
        path, num_bytes, more = write_target(target, checkpoint, options)
    finally:
        checkpoint.files.close()
    return Converted(path, target, len(checkpoint.tensors), len(checkpoint.objects), num_bytes, notes + more)
