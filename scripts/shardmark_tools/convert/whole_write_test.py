#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes that the system cuts short, full file systems and few descriptors: what is converted is whole, or an error names
the file and nothing is left. Limits of file sizes play the full file system."""

import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
from collections.abc import Callable, Sequence
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.interpreter import ensure_modules

ensure_modules("numpy", "h5py", "xxhash", status=77)

from shardmark_tools.convert.conversion import convert
from shardmark_tools.convert.convert_fixture import options
from shardmark_tools.convert.whole_write import write_all
from shardmark_tools.job import pickle_assembler as made
from shardmark_tools.job.dcp_metadata import read_metadata
from shardmark_tools.job.safetensors_files import read_safetensors

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "convert"
REAL_PWRITEV = os.pwritev


def few_bytes(descriptor: int, parts: Sequence[Any], address: int) -> int:
    return REAL_PWRITEV(descriptor, [memoryview(parts[0])[:1000]], address)


class FolderCase(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def source(self, count: int) -> pathlib.Path:
        """A safetensors file of small tensors with long names."""
        header = {f"layer.{n:05d}.{'x' * 150}": {"dtype": "U8", "shape": [10], "data_offsets": [10 * n, 10 * n + 10]}
                  for n in range(count)}  # fmt: skip
        text = json.dumps(header).encode()
        path = self.folder / "m.safetensors"
        path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(n % 251 for n in range(10 * count)))
        return path

    def objects(self, *sizes: int) -> pathlib.Path:
        """A DCP checkpoint of objects alone, with long names."""
        path, at = self.folder / "objects", 0
        path.mkdir()
        entries, places = [], []
        for number, size in enumerate(sizes):
            name = f"{number:05d}.{'x' * 150}"
            entries.append((made.text(name), made.made(made.METADATA, "BytesStorageMetadata") + b"}b"))
            places.append((made.index(name), made.storage("__0_0.distcp", at, size)))
            at += size
        (path / ".metadata").write_bytes(made.root(state_dict_metadata=made.table(entries), storage_data=made.table(places)))
        (path / "__0_0.distcp").write_bytes(bytes(at))
        return path

    def script(self, limits: Callable[[], None], *words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, str(SCRIPT), *map(str, words)], capture_output=True, text=True, check=False,
                              timeout=60, preexec_fn=limits)  # fmt: skip


def small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))


def few_descriptors() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


class WholeWriteTest(FolderCase):
    def test_all_of_it(self) -> None:
        path = self.folder / "file"
        with path.open("w+b") as file, unittest.mock.patch("os.pwritev", few_bytes):
            write_all(file.fileno(), 3, bytes(range(250)) * 50, "file")
        self.assertEqual(path.read_bytes(), bytes(3) + bytes(range(250)) * 50)
        with path.open("rb") as file, self.assertRaises(OSError) as caught:
            write_all(file.fileno(), 0, b"x", "its name")
        self.assertEqual(caught.exception.filename, "its name")

    def test_short_writes_are_gone_on_with(self) -> None:
        for kind in ("dcp", "shardmark", "safetensors"):
            source = self.source(100)
            convert(options(source, self.folder / f"whole-{kind}", to=kind))
            with unittest.mock.patch("os.pwritev", few_bytes):
                convert(options(source, self.folder / f"cut-{kind}", to=kind))
            whole, cut = (sorted(p for p in (self.folder / f"{how}-{kind}").rglob("*") if p.is_file()) for how in ("whole", "cut"))
            self.assertEqual([(p.name, p.stat().st_size) for p in whole], [(p.name, p.stat().st_size) for p in cut])
            if kind != "shardmark":  # whose saves each have an id
                self.assertEqual([p.read_bytes() for p in whole], [p.read_bytes() for p in cut])
            else:
                convert(options(self.folder / "cut-shardmark", self.folder / "back", to="safetensors"))


class LimitTest(FolderCase):
    def test_a_full_file_system_is_an_error_of_the_target(self) -> None:
        many = self.source(5000).rename(self.folder / "many.safetensors")  # HDF5 writes long before it closes the file
        source = self.source(300)
        objects = self.objects(*[1] * 300)
        before = sorted(self.folder.iterdir())
        for words, file in (
            ((source, "--to", "safetensors", "--shard-bytes", 100), "model.safetensors.index.json"),
            ((source, "--to", "safetensors"), "model-00001-of-00001.safetensors"),
            ((objects, "--to", "dcp"), ".metadata"), ((source, "--to", "dcp"), "__0_0.distcp"),
            ((source, "--to", "shardmark"), "checkpoint.h5"), ((many, "--to", "shardmark"), "checkpoint.h5"),
        ):  # fmt: skip
            with self.subTest(words[1:]):
                done = self.script(small_files, words[0], self.folder / "out", *words[1:])
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertRegex(done.stderr, rf"^error: .*/{file}: File too large\n$")
                self.assertEqual(sorted(self.folder.iterdir()), before)

    def test_many_files_need_few_descriptors(self) -> None:
        done = self.script(few_descriptors, self.source(200), self.folder / "out", "--to", "safetensors", "--shard-bytes", 10)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(len(read_safetensors(self.folder / "out")[0]), 200)
        self.assertEqual(len(list((self.folder / "out").glob("*.safetensors"))), 200)
        with unittest.mock.patch("shardmark_tools.convert.dcp_target.FILE_BYTES", 2000):
            self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, resource.getrlimit(resource.RLIMIT_NOFILE))
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
            convert(options(self.folder / "m.safetensors", self.folder / "dcp", to="dcp"))
        files = {chunk.file for tensor in read_metadata(self.folder / "dcp").tensors for chunk in tensor.chunks}
        self.assertGreater(len(files), 64)
        convert(options(self.folder / "dcp", self.folder / "back", to="safetensors"))
        self.assertEqual(*(list(self.elements(path)) for path in (self.folder / "back", self.folder / "m.safetensors")))

    @staticmethod
    def elements(path: pathlib.Path) -> list[tuple[str, bytes]]:
        return [(t.fqn, t.path.read_bytes()[t.byte_offset : t.byte_offset + t.num_bytes]) for t in read_safetensors(path)[0]]

    def test_an_empty_object_may_come_first(self) -> None:
        for sizes in ((0,), (0, 3), (0, 0, 5, 0)):
            source = self.objects(*sizes)
            convert(options(source, self.folder / "out", to="dcp"))
            found = read_metadata(self.folder / "out").objects
            self.assertEqual([found[name].num_bytes for name in sorted(found)], list(sizes))
            for path in (source, self.folder / "out"):
                for file in path.iterdir():
                    file.unlink()
                path.rmdir()


if __name__ == "__main__":
    unittest.main()
