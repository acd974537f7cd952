# SPDX-License-Identifier: Apache-2.0
"""A part of a checkpoint, under other names: a model without its optimizer, say, as inference wants it."""

import fnmatch
from collections.abc import Sequence

from shardmark_tools.convert.tensors import Bytes, Checkpoint, ConvertError, Tensor


def select(checkpoint: Checkpoint, patterns: Sequence[str], prefix: str) -> None:
    """Leaves what a glob of `patterns` matches, all of it if there are none, and takes `prefix` from the names that have it.
    Raises ConvertError for a pattern that matches nothing and for names that become the same."""
    entries: list[Tensor | Bytes] = [*checkpoint.tensors, *checkpoint.objects]
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(entry.fqn, pattern) for entry in entries):
            raise ConvertError(f"--only '{pattern}': no name of a tensor or object matches it")
    if patterns:
        before = len(checkpoint.tensors), len(checkpoint.objects)
        checkpoint.tensors = [t for t in checkpoint.tensors if matches(t.fqn, patterns)]
        checkpoint.objects = [o for o in checkpoint.objects if matches(o.fqn, patterns)]
        left_out = before[0] - len(checkpoint.tensors), before[1] - len(checkpoint.objects)
        checkpoint.notes.append(f"--only leaves out {left_out[0]} tensors and {left_out[1]} objects")
    if prefix:
        strip(checkpoint, prefix)


def matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def strip(checkpoint: Checkpoint, prefix: str) -> None:
    entries: list[Tensor | Bytes] = [*checkpoint.tensors, *checkpoint.objects]
    if not any(entry.fqn.startswith(prefix) for entry in entries):
        raise ConvertError(f"--strip '{prefix}': no name begins so")
    taken: dict[str, str] = {}
    for entry in entries:
        name = entry.fqn.removeprefix(prefix)
        if name in taken:
            raise ConvertError(f"--strip '{prefix}': '{taken[name]}' and '{entry.fqn}' become the same name")
        taken[name] = entry.fqn
        entry.fqn = name
    checkpoint.tensors.sort(key=lambda tensor: tensor.fqn)
    checkpoint.planner_data = None  # places of the old names
    if checkpoint.mcore_data is not None:
        checkpoint.mcore_data = {name.removeprefix(prefix): facts for name, facts in checkpoint.mcore_data.items()}
