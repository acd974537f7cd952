#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Saves on file systems that are not a local disk: right, or refused with nothing committed. What lies in the folder
behind the mounts is looked at, not what a client believes.

Usage: odd_file_systems_test.py MPIEXEC SHARDMARK [ODD_FILE_SYSTEM]"""

import contextlib
import errno
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest
from collections.abc import Iterator, Sequence

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[4] / "scripts"))
from shardmark_tools.launch.jobs import SHELL_RANK, Outcome, run  # noqa: E402

LIMIT_S = 100
MPIEXEC, SHARDMARK, *ODD = [os.path.abspath(word) if "/" in word else word for word in sys.argv[1:]]
STEP = "step-00000001"
TINY = ("model.name=tiny", "model.scale=1.0")
RAW = ("storage.backend=posix-shared",)
PER_RANK = ("storage.layout=per-rank", "storage.io=direct")
TOGETHER = (("storage.layout=shared", "storage.io=direct"), ("storage.layout=packed", "storage.io=direct"), PER_RANK,
            RAW, ("storage.backend=posix",), ("storage.layout=shared", "storage.io=independent"))  # fmt: skip
# Even ranks see the first client, odd ranks the second, both at the same path.
BY_RANK = f"""#!/bin/sh
seen=$2; [ $(({SHELL_RANK} % 2)) = 0 ] || seen=$3
node=$1; shift 3
exec unshare --mount --propagation private sh -c 'mount --bind "$1" "$2" && shift 2 && exec "$@"' sh "$seen" "$node" "$@"
"""


def missing() -> str:
    """Why nothing can be tried here; empty if it can."""
    if not ODD:
        return "built without libfuse 3"
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "no /dev/fuse"
    if os.geteuid() != 0:
        return "mounting needs root"
    if subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode != 0:
        return "no mount namespaces"
    return ""


def words_of(settings: Sequence[str]) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]


class OddFileSystems(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="shardmark-odd-")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.truth = self.root / "truth"
        self.truth.mkdir()

    @contextlib.contextmanager
    def mounted(self, name: str, *switches: str) -> Iterator[pathlib.Path]:
        mount = self.root / name
        mount.mkdir(exist_ok=True)
        # What was found of another file system at this place is not to be believed.
        os.environ["XDG_CACHE_HOME"] = str(self.root / "-".join(("cache", *switches)))
        with subprocess.Popen([ODD[0], mount, self.truth, *switches]) as server:
            try:
                deadline = time.monotonic() + 20
                while not os.path.ismount(mount):
                    self.assertIsNone(server.poll(), "the file system did not start")
                    self.assertLess(time.monotonic(), deadline)
                    time.sleep(0.02)
                yield mount
            finally:
                subprocess.run(["umount", "--lazy", mount], check=True)

    def is_whole(self, directory: str) -> Outcome:
        return run([SHARDMARK, "inspect", self.truth / directory, "--verify"], LIMIT_S, self.root)

    def test_what_loses_nothing_is_right(self) -> None:
        einval, unsupported = errno.EINVAL, errno.EOPNOTSUPP
        for switches in ((f"renameflags={einval}",), (f"fallocate={unsupported}", f"lseek={einval}"),
                         (f"fsyncdir={einval}",), (f"flock={errno.ENOLCK}",), (f"open_direct={einval}",),
                         (f"write_direct={einval}",), ("short=3000",)):  # fmt: skip
            with self.mounted("mount", *switches) as mount:
                for number, settings in enumerate((PER_RANK, RAW)):
                    with self.subTest(switches=switches, settings=settings):
                        directory = f"{'-'.join(switches)}-{number}"
                        words = [*words_of((*TINY, *settings)), "--dir", mount / directory]
                        saved = run([MPIEXEC, "-n", 2, SHARDMARK, "save", "smoke", *words, "--step", 1], LIMIT_S)
                        self.assertEqual(saved.code, 0, saved)
                        whole = self.is_whole(directory)
                        self.assertEqual(whole.code, 0, whole)

    def test_two_clients_that_write_pages_back_late_lose_nothing(self) -> None:
        by_rank = self.root / "by-rank"
        by_rank.write_text(BY_RANK)
        by_rank.chmod(0o755)
        node = self.root / "node"
        node.mkdir()
        right = 0
        with self.mounted("a", "writeback") as first, self.mounted("b", "writeback") as second:
            for settings in TOGETHER:
                with self.subTest(settings=settings):
                    directory = "-".join(settings)
                    words = [*words_of((*TINY, *settings)), "--dir", node / directory]
                    saved = run([MPIEXEC, "-n", 3, by_rank, node, first, second, SHARDMARK, "save", "smoke", *words,
                                 "--step", 1], LIMIT_S)  # fmt: skip
                    if saved.code != 0:
                        self.assertEqual(len(saved.messages()), 1, saved)
                        self.assertFalse((self.truth / directory / STEP).exists(), saved)
                        continue
                    whole = self.is_whole(directory)
                    self.assertEqual(whole.code, 0, whole)
                    right += 1
        self.assertGreaterEqual(right, 2, "nearly everything is refused")


if __name__ == "__main__":
    if why := missing():
        print(f"skipped: {why}")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1])
