#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Planted faults of the tree are found with file and line, in a git checkout and in a plain copy."""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import check_tree

LICENCE = "// SPDX-License-Identifier: Apache-2.0\n"
FAULTS = [
    ("tools/run.sh", "true\n", "tools/run.sh:1: top-level folder 'tools'"),
    ("lib/a.cpp", "int a;\n", "lib/a.cpp:1: the first line must be"),
    ("lib/a.py", "#!/usr/bin/env python3\nimport sys\n", "lib/a.py:1: the first line must be"),
    ("lib/a.cpp", LICENCE + "int a;\n" * 500, "lib/a.cpp:501: 501 lines"),
    ("lib/nothing_test.cpp", LICENCE, "lib/nothing_test.cpp:1: tests no file"),
    ("lib/nothing_mpi_test.cpp", LICENCE, "lib/nothing_mpi_test.cpp:1: tests no file"),
    ("lib/utils.hpp", LICENCE, "lib/utils.hpp:1: the name says nothing"),
    ("lib/a.hpp", LICENCE + '\n"/' + 'work/x"\n', "lib/a.hpp:3: path of one machine"),
    ("README.md", "see /" + "root/x\n", "README.md:1: path of one machine"),
    ("README.md", "see /" + "home/jane/x\n", "README.md:1: path of one machine"),
    ("lib/a.hpp", LICENCE + "// TO" + "DO: finish\n", "lib/a.hpp:2: work left for later"),
]


class Tree(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.write("lib/good.cpp", LICENCE + 'auto t = "/tmp/x.XXXXXX"; // framework/root/a\n')
        self.write("results/golden.json", "[\n" + "1,\n" * 600 + "1]\n")
        self.write(".ci/run", "#!/bin/sh\n")
        self.write("build/dev/made.cpp", "int made;\n")
        self.write("results/runs/x/note.py", "made\n")

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def check_all_faults(self, prepare=lambda: None):
        prepare()
        self.assertEqual([], check_tree.check_tree(self.root))
        for name, text, message in FAULTS:
            with self.subTest(message=message):
                path = self.write(name, text)
                prepare()
                found = check_tree.check_tree(self.root)
                self.assertEqual(1, len(found), found)
                self.assertTrue(found[0].startswith(message), found)
                path.unlink()

    def test_share_of_tests(self):
        for number in range(20):
            branch = "if (a) {}" if number < 15 else "a();"  # five decide nothing: they need none
            self.write(f"lib/s{number}.cpp", LICENCE + f"void f(int a) {{ {branch} }}\n")
        self.write("lib/words.cpp", LICENCE + 'auto t = "if (a) {}";  // for (;;) a ? b : c\n')
        self.assertEqual([], check_tree.check_tree(self.root), "too few to say anything")
        for number in range(15, 20):
            self.write(f"bench/t{number}.cpp", LICENCE + "int f(int a) { return a ? 1 : 2; }\n")
        for number in range(11):
            self.write(f"lib/s{number}_test.cpp", LICENCE)
        found = check_tree.check_tree(self.root)
        self.assertEqual(1, len(found), found)
        self.assertIn("55.0 % of 20 sources", found[0])
        self.write("lib/s11_mpi_test.cpp", LICENCE)
        self.assertEqual([], check_tree.check_tree(self.root))

    def test_plain_copy(self):
        self.check_all_faults()

    def test_git_checkout(self):
        if not shutil.which("git"):
            self.skipTest("git is not there")
        self.write(".gitignore", "/build/\n/results/runs/\n")
        git = ["git", "-C", str(self.root)]
        subprocess.run([*git, "init", "-q"], check=True)
        self.check_all_faults(lambda: subprocess.run([*git, "add", "-A"], check=True))
        self.write("checkpoints/note.cpp", "somebody's own, not under version control\n")
        self.assertEqual([], check_tree.check_tree(self.root))


if __name__ == "__main__":
    unittest.main()
