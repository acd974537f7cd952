# SPDX-License-Identifier: Apache-2.0
"""Prints the words that start ranks, each ended by a NUL byte. Called by scripts/run."""

import argparse
import os
import pathlib
import sys

if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.launch.launching import Launcher  # noqa: E402
from shardmark_tools.launch.relative_paths import absolute  # noqa: E402
from shardmark_tools.refusal import Refused  # noqa: E402


def words(launcher: Launcher, hostfile: str | None, bind: str | None) -> list[str]:
    """Without the count of ranks, which all of them take as -n. Errors: Refused."""
    made = list(launcher.words)
    if hostfile is not None:
        if launcher.kind.hostfile is None:
            raise Refused(f"--hostfile: {launcher.kind.name} takes its nodes from its allocation")
        made += [launcher.kind.hostfile, absolute(hostfile)]
    return made + list(launcher.kind.bound[bind] if bind else ())


def main() -> int:
    parser = argparse.ArgumentParser(prog="launch_words", description=__doc__)
    parser.add_argument("--launcher", required=True)
    parser.add_argument("--hostfile")
    parser.add_argument("--bind", choices=("none", "core"))
    arguments = parser.parse_args()
    try:
        found = words(Launcher.make(arguments.launcher), arguments.hostfile, arguments.bind)
    except Refused as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    sys.stdout.buffer.write(b"".join(os.fsencode(word) + b"\0" for word in found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
