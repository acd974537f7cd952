#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Saves on file systems that are not a local disk: right, or refused with nothing committed. What lies in the folder
behind the mounts is looked at, not what a client believes.

Usage: odd_file_systems_test.py MPIEXEC SHARDMARK [ODD_FILE_SYSTEM]"""

import contextlib
import errno
import json
import os
import pathlib
import struct
import sys
import tempfile
import unittest
from collections.abc import Sequence

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[4] / "scripts"))
from shardmark_tools.launch.jobs import Outcome, run  # noqa: E402

from mounted_clients import by_rank, mounted, skip_if_impossible  # noqa: E402

LIMIT_S = 100
MPIEXEC, SHARDMARK, *ODD = [os.path.abspath(word) if "/" in word else word for word in sys.argv[1:]]
STEP = "step-00000001"
TINY = ("model.name=tiny", "model.scale=1.0")
RAW = ("storage.backend=posix-shared",)
PER_RANK = ("storage.layout=per-rank", "storage.io=direct")
TOGETHER = (("storage.layout=shared", "storage.io=direct"), ("storage.layout=packed", "storage.io=direct"), PER_RANK,
            RAW, ("storage.backend=posix",), ("storage.layout=shared", "storage.io=independent"))  # fmt: skip

def words_of(settings: Sequence[str]) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]


class OddFileSystems(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="shardmark-odd-")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.truth = self.root / "truth"
        self.truth.mkdir()

    def mounted(self, name: str, *switches: str) -> contextlib.AbstractContextManager[pathlib.Path]:
        # What was found of another file system at this place is not to be believed.
        os.environ["XDG_CACHE_HOME"] = str(self.root / "-".join(("cache", *switches)))
        return mounted(ODD[0], self.root / name, self.truth, *switches)

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

    def stripes(self, path: pathlib.Path) -> tuple[int, int]:
        """(bytes, objects) of a file, as Lustre's attribute tells."""
        layout = os.getxattr(path, "lustre.lov")
        return struct.unpack_from("<IH", layout, 24)

    def test_files_have_the_stripes_that_are_asked_for(self) -> None:
        with self.mounted("mount", "stripes=6") as mount:
            for number, settings in enumerate(TOGETHER):
                asked = () if number == 0 else ("storage.stripe_size=2MiB", f"storage.stripe_count={(4, -1)[number % 2]}")
                expected = (1 << 20, 1) if number == 0 else (2 << 20, (4, 6)[number % 2])
                with self.subTest(settings=settings, asked=asked):
                    directory = mount / str(number)
                    words = [*words_of((*TINY, *settings, *asked)), "--dir", directory]
                    saved = run([MPIEXEC, "-n", 3, SHARDMARK, "save", "smoke", *words, "--step", 1, "--json"], LIMIT_S)
                    self.assertEqual(saved.code, 0, saved)
                    document = json.loads(saved.out)
                    self.assertEqual((document["stripe_size_bytes"], document["stripe_count"]), expected)
                    for path in (directory / STEP).iterdir():
                        self.assertEqual(self.stripes(path), expected, path)
                    whole = self.is_whole(str(number))
                    self.assertEqual(whole.code, 0, whole)

    def test_stripes_are_refused_where_there_are_none(self) -> None:
        with self.mounted("mount") as mount:
            words = [*words_of((*TINY, "storage.stripe_count=2")), "--dir", mount / "d"]
            saved = run([MPIEXEC, "-n", 2, SHARDMARK, "save", "smoke", *words, "--step", 1], LIMIT_S)
            self.assertEqual(saved.code, 2, saved)
            self.assertIn("storage.stripe_count = 2: the file system of", saved.err)
            self.assertEqual(list((mount / "d").iterdir()), [])

    def test_two_clients_that_write_pages_back_late_lose_nothing(self) -> None:
        on_clients = by_rank(self.root)
        node = self.root / "node"
        node.mkdir()
        right = 0
        with self.mounted("a", "writeback") as first, self.mounted("b", "writeback") as second:
            for settings in TOGETHER:
                with self.subTest(settings=settings):
                    directory = "-".join(settings)
                    words = [*words_of((*TINY, *settings)), "--dir", node / directory]
                    saved = run([MPIEXEC, "-n", 3, on_clients, node, first, second, SHARDMARK, "save", "smoke", *words,
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
    skip_if_impossible(ODD)
    unittest.main(argv=sys.argv[:1])
