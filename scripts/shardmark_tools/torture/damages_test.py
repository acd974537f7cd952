# SPDX-License-Identifier: Apache-2.0
"""Every kind of damage changes the step and nothing beside it."""

import pathlib
import random
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.torture.damages import KINDS, Damage  # noqa: E402
from shardmark_tools.launch.jobs import fingerprint  # noqa: E402


class Damages(unittest.TestCase):
    def test_each_changes_the_step_and_says_how(self) -> None:
        chance = random.Random(1)
        for kind, damage in KINDS.items():
            for turn in range(20):
                with self.subTest(kind=kind, turn=turn), tempfile.TemporaryDirectory() as name:
                    root = pathlib.Path(name)
                    for step in ("step-00000001", "step-00000002"):
                        (root / step).mkdir()
                        for file, size in (("checkpoint.h5", 40_000), ("rank-00000.h5", 9_000), ("COMMIT", 300)):
                            (root / step / file).write_bytes(chance.randbytes(size))
                        with open(root / step / "COMMIT", "ab") as commit:
                            commit.write(b"\nmanifest 20000 500\n")
                    other = fingerprint(root / "step-00000002")
                    before = {p: p.read_bytes() for p in (root / "step-00000001").iterdir()}
                    said = damage(Damage(chance, root / "step-00000001", root / "step-00000002"))
                    self.assertTrue(said)
                    after = {p: p.read_bytes() if p.is_file() and not p.is_symlink() else None
                             for p in (root / "step-00000001").iterdir()}  # fmt: skip
                    self.assertNotEqual(before, after)
                    self.assertEqual(other, fingerprint(root / "step-00000002"))


if __name__ == "__main__":
    unittest.main()
