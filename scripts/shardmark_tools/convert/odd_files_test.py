#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What conversions meet: pipes and dangling links under known names, file systems without locks or space, checkpoints
without an element. Whatever fails leaves nothing.
With --shardmark COMMAND, the command inspects what was made."""

import errno
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.interpreter import ensure_modules

ensure_modules("numpy", "h5py", "xxhash", status=77)

from shardmark_tools.convert import shardmark_target
from shardmark_tools.convert.conversion import convert
from shardmark_tools.convert.convert_fixture import options, take_command
from shardmark_tools.convert.tensors import ConvertError
from shardmark_tools.job import pickle_assembler as made
from shardmark_tools.job.safetensors_files import read_safetensors
from shardmark_tools.refusal import Refused

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "convert"
command = None


class OddFilesTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def source(self, *shapes: list[int]) -> pathlib.Path:
        header, at = {}, 0
        for number, shape in enumerate(shapes):
            num_bytes = 4 * math.prod(shape)
            header[f"t{number}"] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + num_bytes]}
            at += num_bytes
        text = json.dumps(header).encode()
        path = self.folder / "m.safetensors"
        path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(at))
        return path

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def script(self, *words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, str(SCRIPT), *map(str, words)], capture_output=True, text=True, check=False,
                              timeout=60, cwd=self.folder)  # fmt: skip

    def test_a_step_that_cannot_be_read_is_not_passed_over(self) -> None:
        there = self.folder / "k"
        convert(options(self.source([2]), there, step=1))
        newer = there / "step-00000002"
        newer.mkdir()
        commit = newer / "COMMIT"
        for make, said in ((lambda: os.mkfifo(commit), "COMMIT: not a regular file"), (commit.mkdir, "COMMIT: not a regular file"),
                           (lambda: commit.symlink_to("nowhere"), "COMMIT: No such file")):  # fmt: skip
            make()
            done = self.script(there, self.folder / "out")
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(said, done.stderr)
            self.assertFalse((self.folder / "out").exists())
            commit.rmdir() if commit.is_dir() else commit.unlink()
        self.assertEqual(self.script(there, self.folder / "out").returncode, 0)

    def test_a_pipe_is_no_source(self) -> None:
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        done = self.script(pipe, self.folder / "out")
        self.assertEqual((done.returncode, done.stderr), (2, f"error: {pipe}: not a regular file\n"))

    def test_a_known_name_that_is_no_file_is_not_passed_over(self) -> None:
        self.source([2])
        for name in (".metadata", "model.safetensors.index.json"):
            os.mkfifo(self.folder / name)
            with self.assertRaisesRegex(Refused, f"{name}: not a regular file"):
                convert(options(self.folder, self.folder / "out"))
            (self.folder / name).unlink()

    def test_nothing_to_hold_is_converted_too(self) -> None:
        for number, shapes in enumerate(([], [[0, 4]], [[0], [3], [2, 0]])):
            there, back = self.folder / f"there-{number}", self.folder / f"back-{number}"
            source = self.source(*shapes)
            convert(options(source, there))
            if command:
                subprocess.run([command, "inspect", there, "--verify"], check=True, capture_output=True)
            done = convert(options(there, back))
            self.assertEqual([t.shape for t in read_safetensors(back)[0]], [tuple(shape) for shape in shapes])
            self.assertEqual(done.notes, [])

    def test_one_step_may_be_named_itself(self) -> None:
        source, there = self.source([2]), self.folder / "there"
        for step in (3, 4):
            convert(options(source, there, step=step))
        older = there / "step-00000003"
        done = convert(options(older, self.folder / "copy", to="shardmark"))
        self.assertEqual(done.path.name, older.name)
        self.assertEqual(convert(options(older, self.folder / "out", step=3)).tensors, 1)
        with self.assertRaisesRegex(ConvertError, "--step 4 of the folder of step 3"):
            convert(options(older, self.folder / "no", step=4))
        (older / "COMMIT").unlink()
        with self.assertRaisesRegex(ConvertError, "no .metadata, no step"):
            convert(options(older, self.folder / "no"))

    def test_steps_where_there_are_none(self) -> None:
        for kind in ("dcp", "safetensors"):
            with self.assertRaisesRegex(ConvertError, f"--step 1: neither safetensors nor {kind} has steps"):
                convert(options(self.source([2]), self.folder / "no", to=kind, step=1))
        self.assertEqual(self.names(), ["m.safetensors"])

    def test_a_name_that_is_taken_is_refused_before_anything_is_read(self) -> None:
        source = self.source([2])
        (self.folder / "link").symlink_to("nowhere")
        (self.folder / "file").touch()
        source.write_bytes(b"no safetensors")
        for kind, name, said in (("dcp", "link", "exists already"), ("safetensors", "link", "exists already"),
                                 ("shardmark", "link", "not a directory"), ("shardmark", "file", "not a directory"),
                                 ("dcp", "file", "exists already"), ("dcp", ".", "exists already")):  # fmt: skip
            with self.assertRaisesRegex(ConvertError, f"{name}: {said}" if name != "." else said):
                convert(options(source, self.folder / name, to=kind))
        self.assertEqual(self.names(), ["file", "link", "m.safetensors"])

    def test_arguments_that_cannot_be(self) -> None:
        source, out = self.source([2]), self.folder / "out"
        for words, said in (((source, ""), "TO: an empty name"), (("", out), "FROM: an empty name"),
                            ((source, out, "--shard-bytes", 0), "from 1"), ((source, out, "--memory", 0), "from 1"),
                            ((source, out, "--memory", -5), "whole number"), ((source, out, "--step", -1), "whole number")):  # fmt: skip
            done = self.script(*words)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn(said, done.stderr)
        self.assertEqual(self.names(), ["m.safetensors"])

    def test_a_reader_that_has_gone(self) -> None:
        buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        for number, environment in enumerate((buffered, buffered | {"PYTHONUNBUFFERED": "1"})):
            for words in ((self.source([2]), self.folder / f"out-{number}"), ("--help",)):
                read, write = os.pipe()
                os.close(read)
                done = subprocess.run([sys.executable, str(SCRIPT), *map(str, words)], stdout=write, stderr=subprocess.PIPE,
                                      check=False, env=environment)  # fmt: skip
                os.close(write)
                self.assertEqual((done.returncode, done.stderr), (141, b""), words)

    def test_what_no_file_can_hold_of_a_state_dict(self) -> None:
        source = self.folder / "dcp"
        source.mkdir()
        convert(options(self.source([2]), self.folder / "there", to="dcp"))
        (source / "__0_0.distcp").write_bytes((self.folder / "there" / "__0_0.distcp").read_bytes())
        num_bytes = (source / "__0_0.distcp").stat().st_size
        for part, said in ((made.text("\ud800"), "no UTF-8"), (made.number(2**64), "more than 64 bits"),
                           (made.number(-(2**70)), "more than 64 bits")):  # fmt: skip
            for table in ("planner_data", "mcore_data"):
                facts = made.sequence(part) if table == "planner_data" else made.table([(made.text("k"), part)])
                more = {table: made.table([(made.text("w"), facts)])}
                kind = (made.MEGATRON, "MCoreMetadata") if table == "mcore_data" else (made.METADATA, "Metadata")
                (source / ".metadata").write_bytes(
                    made.one_tensor((2,), places=[((0,), made.storage("__0_0.distcp", 0, num_bytes))], kind=kind, **more))
                for to in ("dcp", "shardmark"):
                    done = self.script(source, self.folder / "out", "--to", to)
                    self.assertEqual(done.returncode, 2, done.stderr)
                    self.assertRegex(done.stderr, rf"^error: {table}: 'w' has .*{said}\n$")

    def test_without_locks_it_goes_on(self) -> None:
        for kind in ("dcp", "shardmark", "safetensors"):
            with unittest.mock.patch("fcntl.flock", side_effect=OSError(errno.ENOLCK, "No locks available")):
                convert(options(self.source([2]), self.folder / kind, to=kind))
        self.assertEqual(self.names(), ["dcp", "m.safetensors", "safetensors", "shardmark"])

    def test_whatever_fails_leaves_nothing(self) -> None:
        source = self.source([2])
        full = OSError(errno.ENOSPC, "No space left on device")
        for kind in ("dcp", "shardmark", "safetensors"):
            for call in ("os.pwritev", "fcntl.flock"):
                error = full if call == "os.pwritev" else BlockingIOError(errno.EAGAIN, "held")
                with unittest.mock.patch(call, side_effect=error), self.assertRaises((OSError, ConvertError)):
                    convert(options(source, self.folder / "out", to=kind))
                self.assertEqual(self.names(), ["m.safetensors"], (kind, call))
        with unittest.mock.patch("os.posix_fallocate", side_effect=full), self.assertRaises(OSError) as caught:
            convert(options(source, self.folder / "out"))
        self.assertRegex(str(caught.exception.filename), r"checkpoint\.h5$")
        self.assertEqual(self.names(), ["m.safetensors"])

    def test_a_folder_that_was_there_stays(self) -> None:
        there = self.folder / "there"
        there.mkdir()
        with unittest.mock.patch.object(shardmark_target, "lay_out", side_effect=OSError(errno.EIO, "no")), self.assertRaises(OSError):
            convert(options(self.source([2]), there))
        self.assertEqual(list(there.iterdir()), [])


if __name__ == "__main__":
    command = take_command()
    unittest.main()
