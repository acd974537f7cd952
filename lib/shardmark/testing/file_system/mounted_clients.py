# SPDX-License-Identifier: Apache-2.0
"""Mounts of the odd file system, and ranks that see one mount or the other at the same path."""

import contextlib
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterator

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[4] / "scripts"))
from shardmark_tools.launch.jobs import SHELL_RANK  # noqa: E402

SKIPPED = 77
START_S = 20
# Usage: by-rank NODE A B COMMAND...: even ranks see A at NODE, odd ranks B.
BY_RANK = f"""#!/bin/sh
seen=$2; [ $(({SHELL_RANK} % 2)) = 0 ] || seen=$3
node=$1; shift 3
exec unshare --mount --propagation private sh -c 'mount --bind "$1" "$2" && shift 2 && exec "$@"' sh "$seen" "$node" "$@"
"""


def skip_if_impossible(programs: list[str]) -> None:
    """Ends this process with its reason where nothing can be mounted."""
    why = ""
    if not programs:
        why = "built without libfuse 3"
    elif not os.access("/dev/fuse", os.R_OK | os.W_OK):
        why = "no /dev/fuse"
    elif os.geteuid() != 0:
        why = "mounting needs root"
    elif subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode != 0:
        why = "no mount namespaces"
    if why:
        print(f"skipped: {why}")
        sys.exit(SKIPPED)


def by_rank(folder: pathlib.Path) -> pathlib.Path:
    """The command that shows each rank its mount."""
    script = folder / "by-rank"
    script.write_text(BY_RANK)
    script.chmod(0o755)
    return script


@contextlib.contextmanager
def mounted(program: str, mount: pathlib.Path, folder: pathlib.Path, *switches: str) -> Iterator[pathlib.Path]:
    """`folder` seen through the odd file system at `mount`. Errors: OSError if it does not start."""
    mount.mkdir(exist_ok=True)
    with subprocess.Popen([program, mount, folder, *switches]) as server:
        try:
            deadline = time.monotonic() + START_S
            while not os.path.ismount(mount):
                if server.poll() is not None or time.monotonic() > deadline:
                    raise OSError(f"{mount}: the file system does not start")
                time.sleep(0.02)
            yield mount
        finally:
            if os.path.ismount(mount):
                subprocess.run(["umount", "--lazy", mount], check=True)
            else:
                server.kill()
