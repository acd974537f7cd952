#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Planted violations are found with file and line; what the table allows is not."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import check_layers
import python_rooms

ALLOWED = [
    ("lib/shardmark/core/dims.cpp", '"shardmark/core/dims.hpp"'),
    ("lib/shardmark/core/checksum.cpp", "<xxhash.h>"),
    ("lib/shardmark/core/dims.cpp", "<cstdint>"),
    ("lib/shardmark/plan/tables/codec.cpp", "<fmt/format.h>"),
    ("lib/shardmark/plan/tables/codec_test.cpp", '"shardmark/tensor/dtensor.hpp"'),
    ("lib/shardmark/plan/tables/codec_test.cpp", "<gmock/gmock.h>"),
    ("lib/shardmark/mpi/communicator.hpp", "<mpi.h>"),
    ("lib/shardmark/storage/mpiio/writer.cpp", "<mpi.h>"),
    ("lib/shardmark/storage/hdf5/library/handle.hpp", "<hdf5.h>"),
    ("lib/shardmark/storage/posix/writer.cpp", "<sys/statvfs.h>"),
    ("lib/shardmark/storage/posix/writer.cpp", "<fcntl.h>"),
    ("lib/shardmark/checkpoint/save.cpp", '"shardmark/storage/contract/storage_writer.hpp"'),
    ("lib/shardmark/workload/safetensors.cpp", "<nlohmann/json.hpp>"),
    ("lib/shardmark/testing/golden.hpp", '"shardmark/checkpoint/save.hpp"'),
    ("lib/shardmark/testing/golden.hpp", "<gtest/gtest.h>"),
    ("bench/harness/measure/timer.hpp", "<benchmark/benchmark.h>"),
    ("bench/config/reader.cpp", "<toml++/toml.h>"),
    ("bench/cli/main.cpp", "<CLI/CLI.hpp>"),
    ("bench/cli/main.cpp", '"bench/config/reader.hpp"'),
    ("bench/ceiling/bare_hdf5.cpp", "<hdf5.h>"),
]
REFUSED = [
    ("lib/shardmark/core/dims.cpp", '"shardmark/profile/phase.hpp"'),
    ("lib/shardmark/profile/phase.cpp", '"shardmark/protocol/metadata.hpp"'),
    ("lib/shardmark/tensor/dtensor.cpp", '"shardmark/plan/owners/save_plan.hpp"'),
    ("lib/shardmark/plan/owners/save_plan.hpp", '"shardmark/tensor/dtensor.hpp"'),
    ("lib/shardmark/plan/owners/save_plan.hpp", '"shardmark/mpi/communicator.hpp"'),
    ("lib/shardmark/plan/owners/save_plan.hpp", "<mpi.h>"),
    ("lib/shardmark/checkpoint/save.cpp", '"shardmark/tensor/dtensor.hpp"'),
    ("lib/shardmark/checkpoint/save.cpp", "<mpi.h>"),
    ("lib/shardmark/storage/posix/writer.cpp", "<hdf5.h>"),
    ("lib/shardmark/storage/posix/writer.cpp", "<H5Dpublic.h>"),
    ("lib/shardmark/storage/posix/writer.cpp", '"shardmark/checkpoint/save.hpp"'),
    ("lib/shardmark/plan/tables/codec.cpp", "<nlohmann/json.hpp>"),
    ("lib/shardmark/plan/tables/codec.cpp", "<xxhash.h>"),
    ("lib/shardmark/plan/tables/codec.cpp", '"shardmark/testing/golden.hpp"'),
    ("lib/shardmark/plan/tables/codec.cpp", "<gtest/gtest.h>"),
    ("lib/shardmark/plan/tables/codec.cpp", "<boost/any.hpp>"),
    ("lib/shardmark/plan/tables/codec.cpp", '"save_plan.hpp"'),
    ("lib/shardmark/plan/tables/codec.cpp", '"bench/config/reader.hpp"'),
    ("lib/shardmark/plan/tables/codec.cpp", "<shardmark/core/dims.hpp>"),
    ("lib/shardmark/workload/fill.cpp", '"shardmark/mpi/communicator.hpp"'),
    ("lib/shardmark/novel/idea.cpp", "<cstdint>"),
    ("lib/shardmark/storage/novel/idea.cpp", "<cstdint>"),
    ("bench/novel/idea.cpp", "<cstdint>"),
    ("bench/save/save_bench.cpp", '"shardmark/testing/golden.hpp"'),
    ("bench/save/save_bench.cpp", "<hdf5.h>"),
    ("bench/save/save_bench.cpp", "<gtest/gtest.h>"),
]


class Includes(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        (self.root / "lib/shardmark").mkdir(parents=True)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def test_allowed(self):
        for name, include in ALLOWED:
            with self.subTest(name=name, include=include):
                path = self.write(name, f"// licence\n#include {include}\n")
                self.assertEqual([], check_layers.check_tree(self.root))
                path.unlink()

    def test_refused_with_file_and_line(self):
        for name, include in REFUSED:
            with self.subTest(name=name, include=include):
                path = self.write(name, f"// licence\n\n  #  include {include}  // why\n")
                found = check_layers.check_tree(self.root)
                self.assertEqual(1, len(found), found)
                line = 1 if "novel" in name else 3
                self.assertTrue(found[0].startswith(f"{name}:{line}: "), found)
                path.unlink()

    def test_every_forbidden_pair_of_rooms(self):
        rooms = check_layers.ROOMS
        for room in rooms:
            house = check_layers.house_of(f"{room}/file.hpp")
            for target in rooms:
                if check_layers.house_of(f"{target}/file.hpp") != house:
                    continue
                include = f"{target}/file.hpp".removeprefix("lib/")
                with self.subTest(room=room, target=target):
                    path = self.write(f"{room}/planted.cpp", f'#include "{include}"\n')
                    found = check_layers.check_tree(self.root)
                    path.unlink()
                    if target == room or target in rooms[room]:
                        self.assertEqual([], found)
                    else:
                        self.assertEqual(1, len(found), found)
                        self.assertTrue(found[0].startswith(f"{room}/planted.cpp:1: room {room}"), found)

    def test_rooms_have_no_circle(self):
        self.assertEqual([], check_layers.find_circles(check_layers.room_rows()))
        # What the tree really includes, without the table: every arrow between two rooms.
        arrows = {}
        root = HERE.parents[1]
        for house in check_layers.FLOORS:
            for path in sorted((root / house).rglob("*.?pp")):
                relative = path.relative_to(root)
                room = check_layers.room_of(relative)
                if room is None or check_layers.TEST_STEM.search(relative.stem):
                    continue
                for _, quoted, _ in check_layers.includes_of(path):
                    target = quoted and check_layers.room_of(check_layers.file_of(quoted))
                    if target and target != room and check_layers.house_of(f"{target}/x") == house:
                        arrows.setdefault(room, set()).add(target)
        self.assertGreater(len(arrows), 10)
        self.assertEqual([], check_layers.find_circles(arrows))
        arrows["lib/shardmark/storage/raw"].add("lib/shardmark/storage/direct")
        self.assertEqual(1, len(check_layers.find_circles(arrows)))

    def test_hdf5_calls(self):
        call = "  const H5Group group(\n      H5Gopen2(file, name, H5P_DEFAULT));  // not H5Fclose()\n"
        for name in ("hdf5/library/new_file.cpp", "hdf5/files/entry_file_test.cpp"):
            path = self.write(f"lib/shardmark/storage/{name}", call)
            self.assertEqual([], check_layers.check_tree(self.root))
            path.unlink()
        self.write("bench/ceiling/bare_hdf5_transfer.cpp", call)
        self.assertEqual([], check_layers.check_tree(self.root))
        for name in ("lib/shardmark/storage/hdf5/files/data_file.cpp", "bench/ceiling/ceiling_case.cpp"):
            path = self.write(name, call)
            found = check_layers.check_tree(self.root)
            self.assertEqual(1, len(found), found)
            self.assertTrue(found[0].startswith(f"{name}:2: H5Gopen2: "), found)
            path.unlink()

    def test_circles_of_units_are_found(self):
        self.write("lib/shardmark/core/a.hpp", '#include "shardmark/core/b.hpp"\n')
        self.write("lib/shardmark/core/b.cpp", '#include "shardmark/core/b.hpp"\n#include "shardmark/core/c.hpp"\n')
        self.assertEqual([], check_layers.check_tree(self.root))
        self.write("lib/shardmark/core/c.cpp", '#include "shardmark/core/a.hpp"\n')
        found = check_layers.check_tree(self.root)
        self.assertEqual(1, len(found), found)
        for unit in "abc":
            self.assertIn(f"lib/shardmark/core/{unit}", found[0])

    def test_every_forbidden_pair_of_rooms_of_scripts(self):
        table = python_rooms.TABLE
        for room, (ours, _) in table.items():
            # A room is a folder, what stands at the root a file.
            is_room = (HERE.parent / "shardmark_tools" / room).is_dir()
            name = f"{python_rooms.HOUSE}/{room}/planted.py" if is_room else f"{python_rooms.HOUSE}/{room}.py"
            for target in table:
                for text in (f"from shardmark_tools.{target}.x import y", f"from shardmark_tools import {target}",
                             f"import shardmark_tools.{target}.x"):  # fmt: skip
                    with self.subTest(room=room, target=target, text=text):
                        path = self.write(name, f"# licence\ndef function():\n    {text}\n")
                        found = check_layers.check_tree(self.root)
                        path.unlink()
                        if target == room or target in ours.split():
                            self.assertEqual([], found)
                        else:
                            self.assertEqual(1, len(found), found)
                            self.assertTrue(found[0].startswith(f"{name}:3: {room} may not import"), found)

    def test_rooms_of_scripts_have_no_circle(self):
        arrows = {room: set(ours.split()) for room, (ours, _) in python_rooms.TABLE.items()}
        self.assertEqual([], check_layers.find_circles(arrows))
        arrows["results"].add("gate")
        self.assertEqual(1, len(check_layers.find_circles(arrows)))

    def test_python_packages_and_places(self):
        house = python_rooms.HOUSE
        good = [("results/x.py", "import numpy"), ("report/x.py", "import scipy.stats"), ("gate/x.py", "import os.path"),
                ("sweep/x_test.py", "from shardmark_tools.gate import y"), ("job/golden/x.py", "import torch")]  # fmt: skip
        bad = [("launch/x.py", "import numpy"), ("report/x.py", "import matplotlib"), ("gate/x.py", "from . import y"),
               ("novel/x.py", "import os"), ("gate/x.py", "from shardmark_tools import novel"),
               ("sweep/x_test.py", "import pandas")]  # fmt: skip
        for name, text in good + bad:
            with self.subTest(name=name, text=text):
                path = self.write(f"{house}/{name}", f"{text}\n")
                found = check_layers.check_tree(self.root)
                path.unlink()
                self.assertEqual((name, text) in bad, bool(found), found)
        self.write("scripts/entry", "#!/usr/bin/env python3\nfrom shardmark_tools.gate import y\nimport pandas\n")
        self.assertEqual(1, len(check_layers.check_tree(self.root)))

    def test_modules_that_import_each_other_are_found(self):
        self.write(f"{python_rooms.HOUSE}/gate/a.py", "from shardmark_tools.gate import b\n")
        self.write(f"{python_rooms.HOUSE}/gate/b.py", "import shardmark_tools.gate.c\n")
        self.assertEqual([], check_layers.check_tree(self.root))
        text = "def late():\n    from shardmark_tools.gate.a import x\n"
        self.write(f"{python_rooms.HOUSE}/gate/c.py", text)
        found = check_layers.check_tree(self.root)
        self.assertEqual(1, len(found), found)
        self.assertIn("these import each other", found[0])

    def test_cmake_uses(self):
        name = "lib/shardmark/plan/CMakeLists.txt"
        good = "shardmark_add_layer(plan\n  SOURCES a.cpp\n  USES core protocol\n  LINK tensor)\n"
        self.write(name, good)
        self.assertEqual([], check_layers.check_tree(self.root))
        self.write(name, "# first\n" + good.replace("protocol", "protocol mpi"))
        found = check_layers.check_tree(self.root)
        self.assertEqual(1, len(found), found)
        self.assertTrue(found[0].startswith(f"{name}:2: layer 'plan' USES mpi"), found)

    def test_exit_codes(self):
        command = [sys.executable, str(HERE / "check_layers.py"), str(self.root)]
        self.assertEqual(0, subprocess.run(command, check=False).returncode)
        self.write("lib/shardmark/core/a.cpp", "#include <mpi.h>\n")
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        self.assertEqual(1, done.returncode)
        self.assertIn("lib/shardmark/core/a.cpp:1: layer 'core' may not include <mpi.h>", done.stderr)


if __name__ == "__main__":
    unittest.main()
