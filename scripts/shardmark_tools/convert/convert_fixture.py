# SPDX-License-Identifier: Apache-2.0
"""What tests of conversions share."""

import argparse
import pathlib
import sys
from typing import Any


def options(source: pathlib.Path, target: pathlib.Path, **more: Any) -> argparse.Namespace:
    """Those of scripts/convert."""
    values: dict[str, Any] = {"to": None, "step": None, "torch": "torch-2", "shard_bytes": 5 * 10**9, "seconds": 60,
                              "memory": 512, "only": [], "strip": ""} | more  # fmt: skip
    return argparse.Namespace(source=source, target=target, **values)


def take_command() -> str | None:
    """What follows --shardmark, which is no longer among the arguments then."""
    if "--shardmark" not in sys.argv:
        return None
    at = sys.argv.index("--shardmark")
    command = sys.argv[at + 1]
    del sys.argv[at : at + 2]
    return command
