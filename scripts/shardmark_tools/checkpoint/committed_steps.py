# SPDX-License-Identifier: Apache-2.0
"""The steps that a checkpoint directory holds."""

import os
import pathlib
import re

STEP_PATTERN = re.compile(r"step-(\d{8})")


class CheckpointError(Exception):
    """The folder is not a committed checkpoint that can be read at all."""


def committed_steps(directory: pathlib.Path | str) -> dict[int, pathlib.Path]:
    """Step number to folder, of the committed ones. Whatever is called COMMIT counts, as in the library: a step that cannot
    be read is not passed over for an older one."""
    steps = {}
    for path in pathlib.Path(directory).iterdir():
        match = STEP_PATTERN.fullmatch(path.name)
        if match and path.is_dir() and os.path.lexists(path / "COMMIT"):
            steps[int(match[1])] = path
    return steps


def find_step(directory: pathlib.Path | str, step: int | None = None) -> pathlib.Path:
    """The folder of a committed step, the newest by default. Raises CheckpointError."""
    directory = pathlib.Path(directory)
    if not directory.is_dir():
        raise CheckpointError(f"{directory}: no such directory")
    steps = committed_steps(directory)
    if not steps:
        raise CheckpointError(f"{directory}: no committed step (step-NNNNNNNN with a COMMIT file)")
    if step is None:
        step = max(steps)
    if step not in steps:
        known = ", ".join(str(s) for s in sorted(steps))
        raise CheckpointError(f"{directory}: step {step} is not committed; committed: {known}")
    return steps[step]
