# SPDX-License-Identifier: Apache-2.0
"""Which reader and which writer a conversion takes."""

import argparse
import dataclasses
import pathlib

from shardmark_tools.checkpoint.checkpoint_reader import STEP_PATTERN
from shardmark_tools.convert.dcp_source import read_dcp
from shardmark_tools.convert.dcp_target import write_dcp
from shardmark_tools.convert.safetensors_source import read_safetensors_checkpoint
from shardmark_tools.convert.safetensors_target import write_safetensors
from shardmark_tools.convert.shardmark_source import read_shardmark
from shardmark_tools.convert.shardmark_target import write_shardmark
from shardmark_tools.convert.tensors import Checkpoint, ConvertError
from shardmark_tools.job.dcp_metadata import METADATA_FILE
from shardmark_tools.job.limits import Limits


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
    if (path / METADATA_FILE).is_file():
        return "dcp"
    if any(STEP_PATTERN.fullmatch(entry.name) for entry in path.iterdir()):
        return "shardmark"
    if any(entry.name.endswith((".safetensors", ".safetensors.index.json")) for entry in path.iterdir()):
        return "safetensors"
    raise ConvertError(f"{path}: no .metadata, no step-NNNNNNNN, no *.safetensors")


def read_source(kind: str, options: argparse.Namespace) -> Checkpoint:
    if kind == "dcp":
        return read_dcp(options.source, Limits(options.seconds, options.memory))
    if kind == "shardmark":
        return read_shardmark(options.source, options.step)
    return read_safetensors_checkpoint(options.source)


def convert(options: argparse.Namespace) -> Converted:
    """`options`: the command's. Raises ConvertError, LimitError, RegionError, OSError."""
    source = kind_of_source(options.source)
    target = options.to or ("safetensors" if source == "shardmark" else "shardmark")
    if not options.target.absolute().parent.is_dir():
        raise ConvertError(f"{options.target.absolute().parent}: no such directory")
    checkpoint = read_source(source, options)
    notes = list(checkpoint.notes)
    try:
        if target == "shardmark":
            step = options.step if options.step is not None else checkpoint.step or 0
            path, num_bytes = write_shardmark(checkpoint, options.target, step)
        elif target == "dcp":
            path, num_bytes = write_dcp(checkpoint, options.target, options.torch)
        else:
            path, num_bytes, more = write_safetensors(checkpoint, options.target, options.shard_bytes)
            notes += more
    finally:
        checkpoint.files.close()
    return Converted(path, target, len(checkpoint.tensors), len(checkpoint.objects), num_bytes, notes)
