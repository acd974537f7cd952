# SPDX-License-Identifier: Apache-2.0
"""Reads TOML that others wrote, within bounds."""

import tomllib
from typing import Any

MOST_BYTES = 16 << 20
MOST_DOTS = 1000  # of a line: Python's reader takes memory by the square of a key's parts


def parse(text: str) -> dict[str, Any]:
    """Errors: ValueError, for what is nested too deep too."""
    if len(text) > MOST_BYTES:
        raise ValueError(f"{len(text)} characters, expected at most {MOST_BYTES}")
    if any(line.count(".") > MOST_DOTS for line in text.splitlines()):
        raise ValueError(f"a line with more than {MOST_DOTS} dots")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
