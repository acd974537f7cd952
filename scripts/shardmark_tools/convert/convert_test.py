#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints that PyTorch wrote are converted to HDF5, safetensors and back: every element equal, read by
h5py and by the other formats' readers; damage is found. With --shardmark COMMAND, the command itself
verifies what was converted, and its own checkpoints of several file layouts are exported."""

import itertools
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.interpreter import ensure_modules

ensure_modules("numpy", "h5py", "xxhash", status=77)

import h5py
import numpy as np
import xxhash

from shardmark_tools.checkpoint.checkpoint_reader import check_checkpoint, encode_name
from shardmark_tools.checkpoint.element_values import expected_bits, expected_values
from shardmark_tools.convert import commit_record, tensor_archive
from shardmark_tools.convert import manifest as manifests
from shardmark_tools.convert.conversion import convert
from shardmark_tools.convert.convert_fixture import options, take_command
from shardmark_tools.convert.layout_boxes import Dims, layout_boxes
from shardmark_tools.convert.open_files import Files
from shardmark_tools.convert.region import Region, slabs
from shardmark_tools.convert.selection import select
from shardmark_tools.convert.tensor_archive import find_tensor, new_archive
from shardmark_tools.convert.tensors import Checkpoint, ConvertError, Tensor, facts_of_tensors, places_in_state
from shardmark_tools.job import pickle_assembler as made
from shardmark_tools.job.dcp_metadata import read_metadata
from shardmark_tools.job.dtypes import ITEM_SIZES
from shardmark_tools.job.golden.element_bytes import tensor_bytes
from shardmark_tools.job.pickle_oracle import as_plain, read_by_pickle
from shardmark_tools.job.pickle_reader import PickleError
from shardmark_tools.job.safetensors_files import read_safetensors

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "job" / "golden"
CHECKPOINTS = ("torch-1.13-1", "torch-1.13-4", "torch-2.6-2", "torch-2.6-4")
command = None


def whole_bytes(fqn: str, dtype: str, shape: Dims) -> bytes:
    name = fqn.removeprefix("model.").replace("optimizer.state.0.exp_avg", "rows")
    return tensor_bytes(name, dtype, int(np.prod(shape, dtype=np.int64)) * ITEM_SIZES[dtype]).tobytes()


class FolderCase(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def flip(self, path: pathlib.Path, address: int) -> None:
        with path.open("r+b") as file:
            file.seek(address)
            byte = file.read(1)[0]
            file.seek(address)
            file.write(bytes([byte ^ 0x10]))


def objects_of(directory: pathlib.Path) -> dict[str, bytes]:
    """{name: bytes} of a DCP checkpoint's objects."""
    return {
        fqn: (directory / c.file).read_bytes()[c.byte_offset : c.byte_offset + c.num_bytes]
        for fqn, c in read_metadata(directory).objects.items()
    }


class DcpTest(FolderCase):
    def check_hdf5(self, path: pathlib.Path, golden: pathlib.Path) -> None:
        metadata = read_metadata(golden)
        with h5py.File(path / "checkpoint.h5", "r") as file:
            self.assertEqual(len(file["tensors"]), len(metadata.tensors))
            for tensor in metadata.tensors:
                dataset = file["tensors"][encode_name(tensor.fqn)]
                self.assertEqual((dataset.shape, dataset.attrs["dtype"].decode()), (tensor.shape, tensor.dtype))
                stored = np.empty(dataset.shape, f"V{ITEM_SIZES[tensor.dtype]}")
                if stored.size:
                    dataset.id.read(h5py.h5s.ALL, h5py.h5s.ALL, stored, mtype=dataset.id.get_type())
                self.assertEqual(stored.tobytes(), whole_bytes(tensor.fqn, tensor.dtype, tensor.shape), tensor.fqn)
                if tensor.dtype in ("complex64", "float32", "int16", "uint32"):
                    self.assertEqual(dataset.dtype, np.dtype(tensor.dtype))
            for fqn, data in objects_of(golden).items():
                self.assertEqual(file["objects"][encode_name(fqn)][...].tobytes(), data)

    def check_dcp(self, directory: pathlib.Path, golden: pathlib.Path) -> None:
        """The same boxes and elements as the golden one, read by Python's unpickler."""
        found, before = read_metadata(directory), read_metadata(golden)
        self.assertEqual(as_plain(found), read_by_pickle((directory / ".metadata").read_bytes()))
        for tensor, other in zip(found.tensors, before.tensors, strict=True):
            boxes = [(c.offsets, c.sizes) for c in tensor.chunks]
            self.assertEqual((tensor.fqn, tensor.dtype, boxes),
                             (other.fqn, other.dtype, [(c.offsets, c.sizes) for c in other.chunks]))  # fmt: skip
            whole = np.frombuffer(
                whole_bytes(tensor.fqn, tensor.dtype, tensor.shape), f"V{ITEM_SIZES[tensor.dtype]}"
            ).reshape(tensor.shape)
            for chunk in tensor.chunks:
                data = (directory / chunk.file).read_bytes()
                where = tensor.fqn
                saved = find_tensor(lambda n, at, d=data: d[at : at + n], chunk.byte_offset, chunk.num_bytes, where)
                box = whole[tuple(slice(o, o + s) for o, s in zip(chunk.offsets, chunk.sizes))]
                self.assertEqual(data[saved.address : saved.address + box.nbytes], box.tobytes(), where)
        self.assertEqual(objects_of(directory), objects_of(golden))

    def test_to_hdf5_and_back(self) -> None:
        for name in CHECKPOINTS:
            with self.subTest(name):
                golden, there, back = GOLDEN / name, self.folder / f"{name}-h5", self.folder / f"{name}-dcp"
                done = convert(options(golden, there))
                self.assertEqual(done.path, there / "step-00000000")
                self.assertEqual(sorted(p.name for p in done.path.iterdir()), ["COMMIT", "checkpoint.h5"])
                self.check_hdf5(done.path, golden)
                target = "torch-1.13" if "1.13" in name else "torch-2"
                convert(options(there, back, to="dcp", torch=target))
                self.check_dcp(back, golden)
                planner = read_metadata(golden).planner_data
                self.assertEqual(read_metadata(back).planner_data, planner)
                if command:
                    subprocess.run([command, "inspect", there, "--verify"], check=True, capture_output=True)

    def test_to_safetensors(self) -> None:
        for name in ("torch-1.13-4", "torch-2.6-4"):
            with self.assertRaisesRegex(ConvertError, "complex128"):
                convert(options(GOLDEN / name, self.folder / "no", to="safetensors"))
        self.assertFalse((self.folder / "no").exists())

    def test_a_part_under_other_names(self) -> None:
        golden = GOLDEN / "torch-2.6-4"
        some = {"only": ["model.rows", "model.plain.bf*"], "strip": "model."}
        done = convert(options(golden, self.folder / "part", to="safetensors", **some))
        tensors, _ = read_safetensors(done.path)
        self.assertEqual([(t.fqn, t.shape) for t in tensors], [("plain.bfloat16", (3, 4)), ("rows", (10, 6))])
        for tensor in tensors:
            with tensor.path.open("rb") as file:
                file.seek(tensor.byte_offset)
                self.assertEqual(file.read(tensor.num_bytes), whole_bytes(tensor.fqn, tensor.dtype, tensor.shape))
        self.assertRegex(done.notes[-1], "--only leaves out [0-9]+ tensors and 3 objects")
        convert(options(golden, self.folder / "back", to="dcp", only=["model.s*"], strip="model."))
        back = read_metadata(self.folder / "back")
        self.assertEqual((sorted(back.objects), back.planner_data["step"]), (["step"], ("step",)))
        for more, word in (({"only": ["nothing.*"]}, "no name"), ({"strip": "no."}, "begins so")):
            with self.assertRaisesRegex(ConvertError, word):
                convert(options(golden, self.folder / "no", **more))
        two = Checkpoint([Tensor("m.w", "int8", (1,), []), Tensor("w", "int8", (1,), [])], [], Files())
        with self.assertRaisesRegex(ConvertError, "'m.w' and 'w' become"):
            select(two, [], "m.")

    def test_places_in_the_state_dict(self) -> None:
        """Whatever a pickle has there: only a map of names to places is one."""
        self.assertEqual(places_in_state({"a": ["a", 0], 3: ("b",), "c": 4, "d": (b"d",), "e": (("e",),)}), {"a": ("a", 0)})
        facts = {"w": {"shape": (4,), "deep": [[4]], 3: 4, "bytes": b"b"}, "v": 7, 3: {}}
        self.assertEqual(facts_of_tensors(facts), {"w": {"shape": (4,)}})
        for other in (None, [("a", ("a",))], "a", 7):
            self.assertIsNone(places_in_state(other), other)

    def test_names_of_other_versions(self) -> None:
        with self.assertRaisesRegex(ConvertError, "torch 1.13 has no dtype"):
            convert(options(GOLDEN / "torch-2.6-4", self.folder / "old", to="dcp", torch="torch-1.13"))
        convert(options(GOLDEN / "torch-1.13-4", self.folder / "new", to="dcp"))
        self.check_dcp(self.folder / "new", GOLDEN / "torch-1.13-4")
        self.assertNotIn(b"_shard", (self.folder / "new" / ".metadata").read_bytes())

    def test_megatron(self) -> None:
        """A torch_dist folder: its metadata has more, and files lie there that it does not name."""
        folder = self.folder / "torch_dist"
        folder.mkdir()
        golden = GOLDEN / "torch-2.6-1"
        before = read_metadata(golden)
        mcore = made.table([(made.text(t.fqn), made.table([(made.text("shape"), made.size(*t.shape))])) for t in before.tensors])
        tensors = [(made.text(t.fqn), made.tensor(t.shape, [made.chunk(c.offsets, c.sizes) for c in t.chunks], t.dtype))
                   for t in before.tensors]  # fmt: skip
        objects = [(made.text(fqn), made.made(made.METADATA, "BytesStorageMetadata") + b"}b") for fqn in before.objects]
        places = [(made.index(t.fqn, c.offsets), made.storage(f"opt{c.file}", c.byte_offset, c.num_bytes))
                  for t in before.tensors for c in t.chunks]  # fmt: skip
        places += [(made.index(fqn), made.storage(f"opt{c.file}", c.byte_offset, c.num_bytes)) for fqn, c in before.objects.items()]
        (folder / ".metadata").write_bytes(made.root(
            (made.MEGATRON, "MCoreMetadata"), state_dict_metadata=made.table(tensors + objects), storage_data=made.table(places),
            mcore_data=mcore, all_local_plans=made.listed(*[made.save_plan()] * 8)))  # fmt: skip
        (folder / "opt__0_0.distcp").write_bytes((golden / "__0_0.distcp").read_bytes())
        for name in ("common.pt", "metadata.json"):
            (folder / name).write_text("{}")
        done = convert(options(folder, self.folder / "h5"))
        self.assertEqual(done.notes[0], "2 files that .metadata does not name are left out: common.pt, metadata.json")
        self.check_hdf5(done.path, golden)
        with h5py.File(done.path / "checkpoint.h5", "r") as file:
            self.assertEqual(file["shardmark"].attrs["world_size"], 8)
        convert(options(self.folder / "h5", self.folder / "back", to="dcp"))
        self.check_dcp(self.folder / "back", golden)
        shapes = {t.fqn: {"shape": t.shape} for t in before.tensors}
        self.assertEqual(read_metadata(self.folder / "back").mcore_data, shapes)

    def test_damaged_data_is_found(self) -> None:
        source = self.folder / "damaged"
        source.mkdir()
        for path in (GOLDEN / "torch-1.13-4").iterdir():
            (source / path.name).write_bytes(path.read_bytes())
        rows = next(t for t in read_metadata(source).tensors if t.fqn == "rows").chunks[1]
        path, data = source / rows.file, (source / rows.file).read_bytes()
        saved = find_tensor(lambda n, at: data[at : at + n], rows.byte_offset, rows.num_bytes, "rows")
        for address, word in (
            (saved.address + 5, "crc32"), (rows.byte_offset + rows.num_bytes - 5, "zip|archive"),
            (rows.byte_offset + 80, "CRC-32|data.pkl"),
        ):  # fmt: skip
            self.flip(path, address)
            with self.assertRaisesRegex(ConvertError, word):
                convert(options(source, self.folder / "out"))
            self.flip(path, address)
            left = [p for p in (self.folder / "out").iterdir()] if (self.folder / "out").exists() else []
            self.assertEqual(left, [])
        path.write_bytes(data[:-100])
        with self.assertRaises((ConvertError, OSError)):
            convert(options(source, self.folder / "out"))

    def test_what_is_there_stays(self) -> None:
        convert(options(GOLDEN / "torch-1.13-1", self.folder / "a", step=5))
        before = (self.folder / "a" / "step-00000005" / "COMMIT").read_bytes()
        with self.assertRaisesRegex(ConvertError, "exists already"):
            convert(options(GOLDEN / "torch-1.13-1", self.folder / "a", step=5))
        self.assertEqual((self.folder / "a" / "step-00000005" / "COMMIT").read_bytes(), before)
        self.assertEqual([p.name for p in (self.folder / "a").iterdir()], ["step-00000005"])

    def test_damaged_shardmark_is_found(self) -> None:
        convert(options(GOLDEN / "torch-1.13-4", self.folder / "a"))
        step = self.folder / "a" / "step-00000000"
        with h5py.File(step / "checkpoint.h5", "r") as file:
            address = file["tensors/rows"].id.get_offset()
        for name, at, word in (
            ("checkpoint.h5", address + 7, "xxh3"), ("checkpoint.h5", 100, "not as it was committed"),
            ("COMMIT", 30, "damaged|unknown|not a"),
        ):  # fmt: skip
            self.flip(step / name, at)
            with self.assertRaisesRegex(ConvertError, word):
                convert(options(self.folder / "a", self.folder / "b", to="dcp"))
            self.flip(step / name, at)
            self.assertFalse((self.folder / "b").exists())
        convert(options(self.folder / "a", self.folder / "b", to="dcp"))


def make_safetensors(path: pathlib.Path, tensors: dict[str, tuple[str, bytes, list[int]]]) -> pathlib.Path:
    """A file of {name: (code, raw elements, shape)}."""
    header, data = {}, b""
    for name, (code, raw, shape) in tensors.items():
        header[name] = {"dtype": code, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


class SafetensorsTest(FolderCase):
    def make(self, tensors: dict[str, tuple[str, bytes, list[int]]]) -> pathlib.Path:
        return make_safetensors(self.folder / "model.safetensors", tensors)

    def read(self, directory: pathlib.Path) -> dict[str, tuple[str, Dims, bytes]]:
        return {
            t.fqn: (t.dtype, t.shape, t.path.read_bytes()[t.byte_offset : t.byte_offset + t.num_bytes])
            for t in read_safetensors(directory)[0]
        }

    def test_there_and_back(self) -> None:
        source = np.random.default_rng(3)
        tensors = {
            "a.weight": ("BF16", source.bytes(2 * 300 * 70), [300, 70]),
            "b": ("F64", source.bytes(8 * 30), [2, 3, 5]), "n": ("I64", source.bytes(8), []),
            "none": ("F32", b"", [0, 4]), "u": ("U16", source.bytes(20), [10]), "c": ("C64", source.bytes(80), [10]),
        }  # fmt: skip
        path = self.make(tensors)
        convert(options(path, self.folder / "h5", step=4))
        done = convert(options(self.folder / "h5", self.folder / "st", shard_bytes=30_000))
        self.assertEqual(self.read(self.folder / "st"), self.read(path))
        index = json.loads((self.folder / "st" / "model.safetensors.index.json").read_text())
        self.assertEqual(sorted(index["weight_map"]), sorted(tensors))
        self.assertGreater(len(set(index["weight_map"].values())), 1)
        self.assertEqual(done.kind, "safetensors")
        convert(options(path, self.folder / "dcp", to="dcp"))
        convert(options(self.folder / "dcp", self.folder / "st2", to="safetensors"))
        self.assertEqual(self.read(self.folder / "st2"), self.read(path))


class RegionTest(FolderCase):
    def test_boxes_of_files(self) -> None:
        source = np.random.default_rng(5)
        path = self.folder / "data"
        for shape in ((7,), (300, 40), (9, 40, 30), (3, 5, 7, 2), (6000, 3), ()):
            for transposed in (False, True):
                whole = source.integers(0, 2**32, shape, np.uint32)
                stored = np.asfortranarray(whole) if transposed and whole.ndim > 1 else whole
                path.write_bytes(b"x" * 13 + stored.tobytes("A"))
                descriptor = os.open(path, os.O_RDWR)
                self.addCleanup(os.close, descriptor)
                strides = tuple(s // 4 for s in stored.strides) if stored.ndim else None
                region = Region(lambda d=descriptor: d, "data", 13, shape, 4, strides)
                for _ in range(10):
                    low = [int(source.integers(0, n)) for n in shape]
                    sizes = tuple(int(source.integers(1, n - o + 1)) for o, n in zip(low, shape))
                    box = tuple(slice(o, o + s) for o, s in zip(low, sizes))
                    out = bytearray(4 * int(np.prod(sizes)))
                    region.read(tuple(low), sizes, memoryview(out))
                    self.assertEqual(bytes(out), whole[box].tobytes(), (shape, low, sizes))
                    new = source.integers(0, 2**32, sizes, np.uint32)
                    whole = whole.copy()
                    whole[box] = new
                    region.write(tuple(low), sizes, memoryview(new.tobytes()))
                out = bytearray(4 * int(np.prod(shape)))
                region.read((0,) * len(shape), shape, memoryview(out))
                self.assertEqual(bytes(out), whole.tobytes(), (shape, transposed))

    def test_slabs(self) -> None:
        for sizes, limit in (((10, 7), 100), ((10, 7), 8), ((3, 4, 5), 50), ((), 8), ((5,), 1 << 20)):
            seen = []
            index = np.arange(int(np.prod(sizes))).reshape(sizes)
            for offsets, part in slabs(sizes, 4, limit):
                seen += index[tuple(slice(o, o + s) for o, s in zip(offsets, part))].reshape(-1).tolist()
                self.assertLessEqual(4 * int(np.prod(part)), max(limit, 4))
            self.assertEqual(seen, list(range(int(np.prod(sizes)))))


class FormatTest(unittest.TestCase):
    def test_layouts_against_index_lists(self) -> None:
        for shape, mesh, placements in (
            ((10, 6), (4,), (("S", 0, 1),)), ((18, 2), (4, 2), (("S", 0, 1), ("S", 0, 1))),
            ((18, 2), (4, 2), (("SS", 0, 2), ("S", 0, 1))), ((9,), (4,), (("SS", 0, 2),)),
            ((8, 6), (2, 2, 3), (("R", 0, 1), ("S", 0, 1), ("S", -1, 1))), ((), (4,), (("R", 0, 1),)),
            ((7,), (3, 2), (("SS", 0, 2), ("S", 0, 1))), ((3, 2), (4,), (("S", 0, 1),)),
        ):  # fmt: skip
            boxes = set()
            for coordinate in itertools.product(*map(range, mesh)):
                lists = [list(range(n)) for n in shape]
                for parts, (kind, dim, split), part in zip(mesh, placements, coordinate):
                    if kind == "R":
                        continue
                    pieces = split if kind == "SS" else 1
                    whole, lists[dim] = lists[dim], []
                    size = -(-len(whole) // pieces)
                    for k in range(pieces):
                        piece = whole[size * k : size * (k + 1)]
                        step = -(-len(piece) // parts)
                        lists[dim] += piece[step * part : step * (part + 1)]
                runs = []
                for held in lists:
                    cuts = [i for i in range(len(held)) if i == 0 or held[i] != held[i - 1] + 1]
                    runs.append([(held[a], b - a) for a, b in zip(cuts, [*cuts[1:], len(held)])])
                for box in itertools.product(*runs):
                    boxes.add((tuple(s for s, _ in box), tuple(n for _, n in box)))
            self.assertEqual(layout_boxes(shape, mesh, placements), sorted(boxes), (shape, mesh))

    def test_manifest_comes_back(self) -> None:
        entry = manifests.Entry("a", False, "bfloat16", (4, 300), [((0, 0), (2, 300)), ((2, 0), (2, 300))],
                                places=[(0, 4096)])  # fmt: skip
        other = manifests.Entry("ö", True, "uint8", (3,), [((0,), (3,))], reason=1, places=[(0, 99)])
        scale = manifests.Entry("s", False, "uint8", (3,), [((0,), (3,))], places=[(0, 99)], published_dtype="F8_E8M0")
        manifest = manifests.Manifest(7, 2**64 - 1, "id", 3, 0, 1, 512, ["checkpoint.h5"], [entry, scale, other])
        data = manifests.encode(manifest)
        self.assertEqual(manifests.decode(data, "m"), manifest)
        for at in range(0, len(data), 3):
            with self.assertRaises(ConvertError):
                manifests.decode(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :], "m")

    def test_commit_records_of_both_versions(self) -> None:
        files = [("checkpoint.h5", 99, 0xABC), ("rank-00000.h5", 5, 0x12)]
        record = commit_record.CommitRecord("id", 7, files, 40, 20)
        self.assertEqual(commit_record.parse(commit_record.to_text(record), "COMMIT"), record)
        old = ("shardmark checkpoint\nformat_version 1\nsave_id id\nstep 7\nfile 99 checkpoint.h5\n"
               "file 5 rank-00000.h5\nmanifest 40 20\nstructure 0000000000000abc\n")  # fmt: skip
        old += f"xxh3 {xxhash.xxh3_64_intdigest(old.encode()):016x}\n"
        files = [("checkpoint.h5", 99, 0xABC), ("rank-00000.h5", 5, None)]
        self.assertEqual(commit_record.parse(old, "COMMIT"), commit_record.CommitRecord("id", 7, files, 40, 20))
        with self.assertRaisesRegex(ConvertError, "version 3 is unknown"):
            commit_record.parse(old.replace("version 1", "version 3"), "COMMIT")

    def test_archives_are_zip_files(self) -> None:
        import io
        import zipfile
        import zlib

        for dtype, shape in (("float32", (3, 4)), ("uint16", (5,)), ("int64", ()), ("bool", (0, 2))):
            archive = new_archive(dtype, shape, (1,) * len(shape))
            size = archive.num_bytes - len(archive.head) - len(archive.tail)
            data = bytearray(archive.head + os.urandom(size) + archive.tail)
            crc = zlib.crc32(data[archive.data_offset : archive.data_offset + size])
            for place in archive.crc_offsets:
                data[place : place + 4] = crc.to_bytes(4, "little")
            with zipfile.ZipFile(io.BytesIO(bytes(data))) as file:
                self.assertIsNone(file.testzip())
                self.assertIn("archive/data/0", file.namelist())
            self.assertEqual(archive.data_offset % 64, 0)
            saved = find_tensor(lambda n, at, d=data: bytes(d[at : at + n]), 0, len(data), "x")
            self.assertEqual((saved.dtype, saved.shape, saved.crc32), (dtype, shape, crc))
        marked = tensor_archive.Storage("complex64", "0", 4), 0, (4,), (1,), False, None, {"conj": True}
        self.assertRaisesRegex(PickleError, "resolve_conj", tensor_archive.rebuilt, marked)


class CommandTest(FolderCase):
    """With the command: what it saved is exported, by every file layout and planner's manifest."""

    def setUp(self) -> None:
        super().setUp()
        if not command:
            self.skipTest("no --shardmark COMMAND")

    def save(self, directory: pathlib.Path, *settings: str) -> None:
        arguments = [command, "save", "smoke", "--dir", directory, "--step", "2", "--seed", "9"]
        for setting in settings:
            arguments += ["--set", setting]
        subprocess.run(arguments, check=True, capture_output=True)

    def test_exports_follow_the_value_law(self) -> None:
        for number, layout in enumerate(("shared", "shared-chunked", "per-rank", "packed")):
            saved, out = self.folder / f"s{number}", self.folder / f"o{number}"
            self.save(saved, f'storage.layout="{layout}"', 'model.name="tiny"', "model.scale=1.0")
            convert(options(saved, out, to="dcp"))
            back = self.folder / f"b{number}"
            convert(options(out, back, step=2))
            subprocess.run([command, "inspect", back, "--verify"], check=True, capture_output=True)
            with h5py.File(back / "step-00000002" / "checkpoint.h5", "r") as file:
                for tensor in read_metadata(out).tensors:
                    count = int(np.prod(tensor.shape, dtype=np.int64))
                    bits = tensor.dtype.startswith(("bfloat", "float8"))
                    law = (expected_bits if bits else expected_values)(tensor.fqn, 9, tensor.dtype, 0, count)
                    dataset = file["tensors"][encode_name(tensor.fqn)]
                    stored = np.empty(dataset.shape, f"V{ITEM_SIZES[tensor.dtype]}")
                    if count:
                        dataset.id.read(h5py.h5s.ALL, h5py.h5s.ALL, stored, mtype=dataset.id.get_type())
                    self.assertEqual(stored.tobytes(), law.tobytes(), (layout, tensor.fqn))
            report = check_checkpoint(saved, 2, 9)
            self.assertEqual([str(finding) for finding in report.findings], [])

    def inspected(self, directory: pathlib.Path) -> dict[str, str | None]:
        text = subprocess.run([command, "inspect", directory, "--json"], check=True, capture_output=True).stdout
        return {tensor["fqn"]: tensor["published_dtype"] for tensor in json.loads(text)["tensors"]}

    def test_published_dtypes_stay(self) -> None:
        """In every file layout, read by h5py; in raw back ends; through a load, a conversion and back."""
        published = {"six": "F6_E2M3", "other": "F6_E3M2"}
        path = make_safetensors(self.folder / "m.safetensors", {
            "w": ("F32", bytes(4 * 64 * 64), [64, 64]), "scale": ("F8_E8M0", bytes(64 * 8), [64, 8]),
            "z": ("C64", bytes(8 * 600 * 700), [600, 700]), "four": ("F4", bytes(16 * 16), [16, 32]),
            "six": ("F6_E2M3", bytes(15), [5, 4]), "other": ("F6_E3M2", bytes(9), [12]),
        })  # fmt: skip
        model = (f"model.safetensors={path}", "model.scale=1.0", "model.optimizer=none", "parallel.strategy=fsdp")
        layouts = [(f"storage.layout={layout}",) for layout in ("shared", "shared-chunked", "per-rank", "packed")]
        backends = [(f"storage.backend={backend}",) for backend in ("posix", "posix-shared")]
        for number, settings in enumerate([*layouts, *backends, ("storage.io=independent", "storage.layout=shared")]):
            with self.subTest(settings):
                saved = self.folder / f"p{number}"
                self.save(saved, *model, *settings)
                found = self.inspected(saved)
                self.assertEqual({fqn: name for fqn, name in found.items() if name}, published)
                self.assertIn("w", found)
                if settings not in backends:
                    with h5py.File(saved / "step-00000002" / "checkpoint.h5", "r") as file:
                        attributes = {fqn: dataset.attrs.get("published_dtype") for fqn, dataset in file["tensors"].items()}
                    self.assertEqual({fqn: name.decode() for fqn, name in attributes.items() if name}, published)
                    load = [command, "load", "smoke", "--dir", saved, "--verify"]
                    load += [word for setting in model for word in ("--set", setting)]
                    subprocess.run(load, check=True, capture_output=True)
                out = self.folder / f"q{number}"
                convert(options(saved, out, to="safetensors"))
                headers = [self.header(file) for file in sorted(out.glob("*.safetensors"))]
                codes = {fqn: (entry["dtype"], entry["shape"]) for header in headers for fqn, entry in header.items()}
                original = {fqn: (entry["dtype"], entry["shape"]) for fqn, entry in self.header(path).items()}
                self.assertEqual(codes, original)

    @staticmethod
    def header(path: pathlib.Path) -> dict[str, Any]:
        data = path.read_bytes()
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        return {name: entry for name, entry in header.items() if name != "__metadata__"}

    def test_published_dtypes_stay_in_a_copy(self) -> None:
        path = make_safetensors(self.folder / "m.safetensors", {"s": ("F6_E2M3", bytes(64 * 6), [64, 8])})
        saved, copy = self.folder / "saved", self.folder / "copy"
        self.save(saved, f"model.safetensors={path}", "model.scale=1.0", "parallel.strategy=fsdp")
        convert(options(saved, copy, to="shardmark", step=2))
        self.assertEqual(self.inspected(copy), {"s": "F6_E2M3"})
        with h5py.File(copy / "step-00000002" / "checkpoint.h5", "r") as file:
            self.assertEqual(file["tensors"]["s"].attrs["published_dtype"], b"F6_E2M3")


if __name__ == "__main__":
    command = take_command()
    unittest.main()
