# SPDX-License-Identifier: Apache-2.0
"""`shardmark plan --json`: a dry run of one configuration."""

import json
import pathlib
import subprocess
from collections.abc import Sequence
from typing import Any

from shardmark_tools.launch.launching import setting_options
from shardmark_tools.refusal import Refused

PLAN_LIMIT_S = 600


class CannotPlan(Refused):
    """The message of the plan command."""


def first_line(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return lines[0].removeprefix("shardmark: error: ") if lines else "no message"


def plan(command: pathlib.Path, suite: str, settings: Sequence[str], world: int | None) -> dict[str, Any]:
    """The plan command's document. Errors: CannotPlan with its message."""
    words = [str(command), "plan", suite, "--json", *setting_options(settings)]
    words += ["--world", str(world)] if world else []
    try:
        done = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False, timeout=PLAN_LIMIT_S)
    except subprocess.TimeoutExpired as error:
        raise CannotPlan(f"its dry run took more than {PLAN_LIMIT_S} s") from error
    if done.returncode != 0:
        raise CannotPlan(first_line(done.stderr))
    try:
        document: dict[str, Any] = json.loads(done.stdout)
        int(document["world_size"]), int(document["num_bytes"]), int(document["bytes_per_rank"]["max"])
    except (ValueError, KeyError, TypeError) as error:
        raise CannotPlan(f"{command} plan --json: not what a plan says: {error}") from error
    return document
