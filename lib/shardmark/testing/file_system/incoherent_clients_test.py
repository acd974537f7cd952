#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ranks on different mounts of one folder, each with a page cache of its own that writes back whole pages: the exchange
stores every byte, in every layout. Without it bytes are lost, which shows that the mounts would tell.

Usage: incoherent_clients_test.py MPIRUN FAULTY_SAVE [ODD_FILE_SYSTEM]
SHARDMARK_TEST_ROUNDS: checkpoints for each layout (1). Exit code 77: it cannot run here, and says why.
"""

import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

from mounted_clients import by_rank, mounted, skip_if_impossible

MPIRUN, PROGRAM, *MOUNT = sys.argv[1:]
TIME_LIMIT_S = 60
LAYOUTS = ["shared", "shared-chunked", "per-rank", "per-node", "groups", "packed", "auto"]
ROUNDS = int(os.environ.get("SHARDMARK_TEST_ROUNDS", "1"))


class Clients:
    """Two mounts of one folder."""

    def __init__(self, scratch: pathlib.Path, held: contextlib.ExitStack) -> None:
        self.folder = scratch / "stored"
        self.seen = scratch / "seen"
        self.seen.mkdir()
        self.folder.mkdir()
        self.by_rank = by_rank(scratch)
        self.mounts = [held.enter_context(mounted(MOUNT[0], scratch / name, self.folder, "writeback"))
                       for name in ("client0", "client1")]  # fmt: skip


class IncoherentClients(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="shardmark-clients-")
        self.addCleanup(folder.cleanup)
        self.scratch = pathlib.Path(folder.name)
        self.held = contextlib.ExitStack()
        self.addCleanup(self.held.close)

    def on_clients(
        self, clients: Clients, ranks: int, action: str, step: int, layout: str, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Ranks in turn on the two mounts."""
        passed = ["env", *(f"{name}={value}" for name, value in variables.items())]
        command: list[str | pathlib.Path] = [MPIRUN, "-n", str(ranks), *passed]
        command += [clients.by_rank, clients.seen, *clients.mounts, PROGRAM, action, clients.seen / "checkpoints",
                    str(step), "direct", layout]  # fmt: skip
        return subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False)

    def stored(self, clients: Clients) -> dict[int, str]:
        """What lies in the folder itself: good or BAD, by step."""
        check = subprocess.run([PROGRAM, "check", str(clients.folder / "checkpoints")], capture_output=True, text=True,
                               check=True)  # fmt: skip
        lines = [line.split() for line in check.stdout.splitlines() if line.startswith("step")]
        return {int(words[1]): words[2] for words in lines}

    def test_no_byte_is_lost(self) -> None:
        clients = Clients(self.scratch, self.held)
        step = 0
        for round_ in range(ROUNDS):
            for layout in LAYOUTS:
                for ranks, level in [(2, "auto"), (3, "edges"), (4, "node"), (4, "world")]:
                    step += 1
                    with self.subTest(round=round_, layout=layout, ranks=ranks, level=level):
                        told = {"SHARDMARK_TEST_EXCHANGE": level}
                        if level == "world":
                            told["SHARDMARK_PRETEND_RANKS_A_NODE"] = "2"
                        job = self.on_clients(clients, ranks, "save", step, layout, **told)
                        self.assertEqual(job.returncode, 0, job.stderr)
                        self.assertEqual(self.stored(clients)[step], "good")
                        if level == "world":
                            load = self.on_clients(clients, ranks, "load", step, layout, **told)
                            self.assertEqual(load.returncode, 0, load.stderr)
        print(f"{step} checkpoints")

    def test_off_is_refused_and_would_lose_bytes(self) -> None:
        clients = Clients(self.scratch, self.held)
        refused = self.on_clients(clients, 2, "save", 1, "shared", SHARDMARK_TEST_EXCHANGE="off")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("bytes may be lost", refused.stderr)
        lost = 0
        for step in range(1, 41):
            job = self.on_clients(clients, 4, "save", step, "shared", SHARDMARK_TEST_EXCHANGE="off",
                                  SHARDMARK_TEST_COHERENT="yes")  # fmt: skip
            # Found by the proof of the save itself, or by nobody but the checksums.
            lost += job.returncode != 0 or self.stored(clients).get(step) != "good"
            if lost:
                break
        self.assertGreater(lost, 0, "these mounts keep pages together: they prove nothing")


if __name__ == "__main__":
    skip_if_impossible(MOUNT)
    os.environ.setdefault("OMPI_MCA_rmaps_base_oversubscribe", "1")
    unittest.main(argv=sys.argv[:1])
