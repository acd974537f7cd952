#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the probe found under a library that changes calls is not believed later.

Usage: probe_test.py SHARDMARK FAILING_WRITES_LIBRARY
"""

import errno
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

SHARDMARK, LIBRARY = sys.argv[1:3]
WORDS = ["save", "smoke", "--set", "model.name=tiny", "--set", "model.scale=1.0"]


class KeptProbes(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="shardmark-probe-", dir=pathlib.Path(SHARDMARK).parent)
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def save(self, step, **variables):
        words = [SHARDMARK, *WORDS, "--dir", str(self.root / "d"), "--step", str(step)]
        job = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False,
                             env={**os.environ, "XDG_CACHE_HOME": str(self.root / "cache"), **variables})  # fmt: skip
        self.assertEqual(job.returncode, 0, job.stderr)
        return job.stdout + job.stderr

    def kept(self):
        return sorted(path.read_text() for path in (self.root / "cache").glob("shardmark/*"))

    def test_a_refusal_of_a_library_is_of_its_process_alone(self):
        for step, number in enumerate((errno.EINVAL, errno.EIO)):
            self.save(step, LD_PRELOAD=LIBRARY, SHARDMARK_TEST_DIRECT_ERRNO=str(number))
            self.assertEqual(self.kept(), [])
        self.save(2)
        good = self.kept()
        self.assertEqual(len(good), 1, "a probe without a library is kept")
        self.assertNotIn(os.strerror(errno.EINVAL), good[0])
        self.save(3, LD_PRELOAD=LIBRARY, SHARDMARK_TEST_DIRECT_ERRNO=str(errno.EINVAL))
        self.assertEqual(self.kept(), good)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
