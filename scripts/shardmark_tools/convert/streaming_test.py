#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Chunks are copied past the page cache and through it, whatever their addresses: what arrives is read back by plain
reads, what lay around it is still there, and files keep their size."""

import argparse
import errno
import fcntl
import json
import os
import pathlib
import random
import sys
import tempfile
import unittest
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.interpreter import ensure_modules

ensure_modules("numpy", "h5py", "xxhash", status=77)

import h5py
import xxhash

from shardmark_tools.convert import open_files
from shardmark_tools.convert.block_transfer import BLOCK, LEAST_PAST_CACHE, RUN_BYTES, Slot, open_past_cache
from shardmark_tools.convert.conversion import convert
from shardmark_tools.convert.open_files import Files, region_of_file
from shardmark_tools.convert.region import Region, RegionError, always
from shardmark_tools.convert.streaming import Copy, run_copies
from shardmark_tools.convert.tensors import DamageError, Hashes, checker
from shardmark_tools.job.safetensors_files import read_safetensors

FILLER = b"\xa5"
Chunk = tuple[int, int, int]  # address in the source, in the target, bytes
REAL_PWRITEV, REAL_PREADV = os.pwritev, os.preadv


def leave_cache(path: pathlib.Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


class Calls:
    """os.preadv and os.pwritev as they are, but for what a test plants; counts what went to each descriptor."""

    def __init__(self, plant: Callable[[int, int], int | None] = lambda _file, _address: None):
        self.plant = plant  # (descriptor, address) -> bytes that are moved at most, or raises
        self.moved: dict[int, int] = {}

    def call(self, real: Callable[..., int], file: int, parts: Sequence[Any], address: int, *flags: int) -> int:
        most = self.plant(file, address)
        if most is not None:
            parts = [memoryview(parts[0])[:most]]
        done = real(file, parts, address, *flags)
        self.moved[file] = self.moved.get(file, 0) + done
        return done

    def __enter__(self) -> "Calls":
        self._patches = [
            mock.patch("os.preadv", lambda *given: self.call(REAL_PREADV, *given)),
            mock.patch("os.pwritev", lambda *given: self.call(REAL_PWRITEV, *given)),
        ]
        for patch in self._patches:
            patch.start()
        return self

    def __exit__(self, *_: object) -> None:
        for patch in self._patches:
            patch.stop()


class FolderCase(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def make(self, name: str, data: bytes) -> tuple[pathlib.Path, int, int | None]:
        """(path, descriptor, one past the cache) of a new file that lies in storage."""
        path = self.folder / name
        path.write_bytes(data)
        leave_cache(path)
        file = os.open(path, os.O_RDWR)
        past = open_past_cache(file, os.O_RDWR)
        for descriptor in (file, past):
            if descriptor is not None:
                self.addCleanup(os.close, descriptor)
        return path, file, past


class CopyTest(FolderCase):
    def setUp(self) -> None:
        super().setUp()
        self.data = random.Random(7).randbytes(3 * RUN_BYTES + 12345)
        self.source, self.read_from, self.read_past = self.make("source", self.data)

    def copied(self, chunks: Sequence[Chunk], size: int, name: str = "target", calls: Calls | None = None,
               past: bool = True) -> int | None:  # fmt: skip
        """Copies, and compares the target as a whole. Returns the descriptor that goes past the cache."""
        path, file, target_past = self.make(name, FILLER * size)
        expected = bytearray(FILLER * size)
        values: list[Hashes] = []
        copies, hashes = [], []
        for source_at, target_at, num_bytes in chunks:
            source = Region(always(self.read_from), "source", source_at, (num_bytes,), 1,
                            past_cache=always(self.read_past if past else None))  # fmt: skip
            target = Region(always(file), name, target_at, (num_bytes,), 1, past_cache=always(target_past if past else None))
            copies.append(Copy(source, (0,), target, (0,), (num_bytes,), {"xxh3"}, values.append))
            piece = self.data[source_at : source_at + num_bytes]
            expected[target_at : target_at + num_bytes] = piece
            hashes.append({"xxh3": xxhash.xxh3_64_intdigest(piece)})
        with calls or Calls():
            run_copies(copies)
        os.fsync(file)
        leave_cache(path)
        found = path.read_bytes()
        self.assertEqual(len(found), size)
        if found != expected:
            wrong = next(at for at in range(size) if found[at] != expected[at])
            self.fail(f"byte {wrong} of {size}, copied {chunks}")
        self.assertEqual(values, hashes)
        return target_past

    def test_any_addresses(self) -> None:
        draw = random.Random(3)
        many = LEAST_PAST_CACHE
        for number, (source_at, target_at, num_bytes, behind) in enumerate((
            (0, 0, many, 0), (0, BLOCK, many + 1, 0), (1, 0, many, 5), (0, 1, many, 0), (4095, 4095, many + 2, 1),
            (512, 4095, many + 2 * BLOCK, 0), (77, 3, RUN_BYTES, 0), (78, 4, RUN_BYTES + 1, 4096),
            (9, 4097, 3 * RUN_BYTES + 1, 0), (5, 6, many - 1, 0), (5, 6, 1, 0),
            *((draw.randrange(20000), draw.randrange(20000), draw.randrange(1, 4 * many), draw.randrange(9000)) for _ in range(20)),
        )):  # fmt: skip
            for past in (True, False):
                self.copied([(source_at, target_at, num_bytes)], target_at + num_bytes + behind, f"{number}-{past}", past=past)

    def test_neighbours_share_blocks(self) -> None:
        """Chunks end to end, as in a file of safetensors, long and tiny ones, the source's the other way round."""
        draw, chunks, at = random.Random(5), list[Chunk](), 11
        for _ in range(60):
            num_bytes = draw.choice((1, 2, 100, 4096, LEAST_PAST_CACHE - 1, LEAST_PAST_CACHE + draw.randrange(5000)))
            chunks.append((draw.randrange(len(self.data) - num_bytes), at, num_bytes))
            at += num_bytes
        self.copied(chunks, at)
        draw.shuffle(chunks)
        self.copied(chunks, at + 4096, "shuffled")

    def test_long_runs_go_past_the_cache(self) -> None:
        if self.read_past is None:
            self.skipTest("no O_DIRECT in this file system")
        calls = Calls()
        target_past = self.copied([(8191, 5, 2 * RUN_BYTES)], 2 * RUN_BYTES + 5, calls=calls)
        assert target_past is not None
        # All but a block's begin and end; of the source all blocks around.
        self.assertEqual(calls.moved[target_past], 2 * RUN_BYTES - BLOCK)
        self.assertGreaterEqual(calls.moved[self.read_past], 2 * RUN_BYTES)
        self.assertLess(calls.moved.get(self.read_from, 0), BLOCK)
        for descriptor, most in ((self.read_past, 2 * RUN_BYTES + 5 * BLOCK), (target_past, 2 * RUN_BYTES)):
            self.assertLessEqual(calls.moved[descriptor], most)

    def test_refusals_and_short_transfers(self) -> None:
        """Where the file system takes O_DIRECT and then not the request, or a part of it only."""
        if self.read_past is None:
            self.skipTest("no O_DIRECT in this file system")
        size = 2 * RUN_BYTES + 999

        def refused(number: int) -> Callable[[int, int], int | None]:
            def plant(file: int, address: int) -> int | None:
                if is_past(file) and address >= 1 << 20:
                    raise OSError(number, "planted")
                return None
            return plant

        def short(most: int) -> Callable[[int, int], int | None]:
            return lambda file, _address: most if is_past(file) else None

        for number in (errno.EINVAL, errno.EOPNOTSUPP):
            self.copied([(3, 7, size - 7)], size, f"refused-{number}", Calls(refused(number)))
        for most in (100 * BLOCK, 3 * BLOCK + 512, 1000):
            self.copied([(3, 7, size - 7)], size, f"short-{most}", Calls(short(most)))
        with self.assertRaisesRegex(OSError, "planted"):
            self.copied([(3, 7, size - 7)], size, "failed", Calls(refused(errno.EIO)))

    def test_a_source_that_ends_early(self) -> None:
        for past in (True, False):
            with self.assertRaisesRegex(RegionError, "ends at byte"):
                self.copied([(len(self.data) - LEAST_PAST_CACHE, 0, LEAST_PAST_CACHE + 1)], 2 * LEAST_PAST_CACHE, f"e{past}", past=past)

    def test_boxes_among_runs(self) -> None:
        """Columns, whose rows are short, beside whole tensors in one file."""
        rows, columns = 300, 6000
        path, file, past = self.make("columns", FILLER * (rows * columns + LEAST_PAST_CACHE))
        whole = [Region(always(self.read_from), "source", 1, (rows, columns), 1, past_cache=always(self.read_past)),
                 Region(always(file), "columns", 0, (rows, columns), 1, past_cache=always(past))]  # fmt: skip
        after = [Region(always(self.read_from), "source", 99, (LEAST_PAST_CACHE,), 1, past_cache=always(self.read_past)),
                 Region(always(file), "columns", rows * columns, (LEAST_PAST_CACHE,), 1, past_cache=always(past))]  # fmt: skip
        copies = [Copy(whole[0], (0, first), whole[1], (0, first), (rows, 1000), set(), lambda _: None)
                  for first in range(0, columns, 1000)]  # fmt: skip
        copies.insert(3, Copy(after[0], (0,), after[1], (0,), (LEAST_PAST_CACHE,), set(), lambda _: None))
        run_copies(copies)
        expected = self.data[1 : 1 + rows * columns] + self.data[99 : 99 + LEAST_PAST_CACHE]
        self.assertEqual(path.read_bytes(), expected)

    def test_damage_ends_it(self) -> None:
        _, file, past = self.make("target", FILLER * (2 * RUN_BYTES))
        regions = [Region(always(self.read_from), "source", 0, (2 * RUN_BYTES,), 1), Region(always(file), "t", 0, (2 * RUN_BYTES,), 1)]
        done = checker("w", (0,), {"xxh3": 1})
        with self.assertRaisesRegex(DamageError, "'w'.*expected 1"):
            run_copies([Copy(regions[0], (0,), regions[1], (0,), (2 * RUN_BYTES,), {"xxh3"}, done)])


def is_past(descriptor: int) -> bool:
    return bool(fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_DIRECT)


class FilesTest(FolderCase):
    def test_more_files_than_may_be_open(self) -> None:
        paths = [self.folder / f"{number}" for number in range(9)]
        for number, path in enumerate(paths):
            path.write_bytes(bytes([number]) * 10)
        with mock.patch.object(open_files, "MOST_OPEN_FILES", 3):
            files = Files()

        def read(number: int) -> bytes:
            region = region_of_file(files, paths[number % 9], 2, (5,), 1)
            slot = Slot(BLOCK)
            region.read_run(2, 5, slot, 100)
            return bytes(slot.piece(5))

        before = len(os.listdir("/proc/self/fd"))
        with ThreadPoolExecutor(3) as threads:
            found = list(threads.map(read, range(300)))
            self.assertLessEqual(len(os.listdir("/proc/self/fd")), before + 3 * 3 * 2)
        self.assertEqual(found, [bytes([number % 9]) * 5 for number in range(300)])
        files.close()
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_what_lies_in_memory_is_read_from_there(self) -> None:
        path, _, past = self.make("data", bytes(1 << 20))
        if past is None:
            self.skipTest("no O_DIRECT in this file system")
        for _ in range(6):  # asking does not bring it in
            files = Files()
            self.assertIsNotNone(files.past_cache(path))
            files.close()
        path.read_bytes()
        files = Files()
        self.assertIsNone(files.past_cache(path))
        files.close()


class ExportTest(FolderCase):
    def options(self, source: pathlib.Path, target: pathlib.Path, to: str) -> argparse.Namespace:
        return argparse.Namespace(source=source, target=target, to=to, step=None, torch="torch-2", shard_bytes=5 * 10**9,
                                  seconds=60, memory=512, only=[], strip="")  # fmt: skip

    def setUp(self) -> None:
        super().setUp()
        draw, header, data = random.Random(9), dict[str, Any](), b""
        self.tensors: dict[str, bytes] = {}
        for number, (code, item, count) in enumerate((
            ("BF16", 2, 300_001), ("U8", 1, 3), ("F32", 4, 256 * 1024), ("F64", 8, 17), ("BF16", 2, 1 << 20), ("U8", 1, 9 << 20),
            ("F32", 4, 1), ("BF16", 2, 2048),
        )):  # fmt: skip
            raw = draw.randbytes(item * count)
            self.tensors[f"t{number}"] = raw
            header[f"t{number}"] = {"dtype": code, "shape": [count], "data_offsets": [len(data), len(data) + len(raw)]}
            data += raw
        text = json.dumps(header).encode()
        self.model = self.folder / "model.safetensors"
        self.model.write_bytes(len(text).to_bytes(8, "little") + text + data)
        leave_cache(self.model)
        convert(self.options(self.model, self.folder / "h5", "shardmark"))
        self.entry_file = self.folder / "h5" / "step-00000000" / "checkpoint.h5"

    def test_whole_blocks_begin_on_one(self) -> None:
        leave_cache(self.entry_file)
        convert(self.options(self.folder / "h5", self.folder / "out", "safetensors"))
        found, _ = read_safetensors(self.folder / "out")
        self.assertEqual(sorted(t.fqn for t in found), sorted(self.tensors))
        for tensor in found:
            raw = tensor.path.read_bytes()[tensor.byte_offset : tensor.byte_offset + tensor.num_bytes]
            self.assertEqual(raw, self.tensors[tensor.fqn], tensor.fqn)
            if tensor.num_bytes % BLOCK == 0:
                self.assertEqual(tensor.byte_offset % BLOCK, 0, tensor.fqn)
        size = max(t.byte_offset + t.num_bytes for t in found)
        self.assertEqual(found[0].path.stat().st_size, size)

    def test_every_format_without_past_cache(self) -> None:
        with mock.patch("shardmark_tools.convert.new_folder.open_past_cache", lambda *_: None), \
             mock.patch("shardmark_tools.convert.open_files.open_past_cache", lambda *_: None):  # fmt: skip
            self.there_and_back("cached")
        self.there_and_back("past")

    def there_and_back(self, name: str) -> None:
        convert(self.options(self.folder / "h5", self.folder / f"{name}-dcp", "dcp"))
        convert(self.options(self.folder / f"{name}-dcp", self.folder / f"{name}-h5", "shardmark"))
        convert(self.options(self.folder / f"{name}-h5", self.folder / f"{name}-st", "safetensors"))
        for tensor in read_safetensors(self.folder / f"{name}-st")[0]:
            raw = tensor.path.read_bytes()[tensor.byte_offset : tensor.byte_offset + tensor.num_bytes]
            self.assertEqual(raw, self.tensors[tensor.fqn], (name, tensor.fqn))
        with h5py.File(self.folder / f"{name}-h5" / "step-00000000" / "checkpoint.h5", "r") as file:
            for fqn, raw in self.tensors.items():
                dataset = file["tensors"][fqn]
                self.assertEqual(os.pread(file.id.get_vfd_handle(), len(raw), dataset.id.get_offset()), raw)

    def test_nothing_of_a_damaged_structure(self) -> None:
        """Though it is checked while elements move: of elements all are sound."""
        with self.entry_file.open("r+b") as file:
            file.seek(100)
            byte = file.read(1)[0]
            file.seek(100)
            file.write(bytes([byte ^ 1]))
        with self.assertRaisesRegex(DamageError, "outside element data"):
            convert(self.options(self.folder / "h5", self.folder / "out", "safetensors"))
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()), ["h5", "model.safetensors"])


if __name__ == "__main__":
    unittest.main()
