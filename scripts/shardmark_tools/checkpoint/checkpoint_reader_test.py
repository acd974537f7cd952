#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints written here by h5py: good ones pass, every planted fault is found and named."""

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
from shardmark_tools.checkpoint import checkpoint_reader, checksum_table, committed_steps, element_values

CHECK = pathlib.Path(__file__).resolve().parents[2] / "dev" / "check_checkpoint.py"
SEED = 3


def small_float_type(size: Any, sign: Any, exponent: Any, mantissa: Any, bias: Any) -> Any:
    kind = (h5py.h5t.IEEE_F32LE if size == 2 else h5py.h5t.IEEE_F16LE).copy()
    kind.set_fields(sign, mantissa, exponent, 0, mantissa)
    if size != kind.get_size():
        kind.set_precision(8 * size)
        kind.set_size(size)
    kind.set_ebias(bias)
    return kind


SMALL_FLOATS = {
    "bfloat16": (2, 15, 8, 7, 127),
    "float8_e4m3fn": (1, 7, 4, 3, 7),
    "float8_e5m2": (1, 7, 5, 2, 15),
    "float8_e4m3fnuz": (1, 7, 4, 3, 8),
    "float8_e5m2fnuz": (1, 7, 5, 2, 16),
}


def add_small_float(group: Any, name: str, dtype: str, bits: Any) -> Any:
    kind = small_float_type(*SMALL_FLOATS[dtype])
    space = h5py.h5s.create_simple(bits.shape) if bits.shape else h5py.h5s.create(h5py.h5s.SCALAR)
    handle = h5py.h5d.create(group.id, name.encode(), kind, space)
    handle.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ascontiguousarray(bits), mtype=kind)
    return h5py.Dataset(handle)


def add_tensor(group: Any, fqn: str, dtype: str, shape: Any, **options: Any) -> Any:
    name = checkpoint_reader.encode_name(fqn)
    count = int(np.prod(shape, dtype=np.int64))
    if dtype in SMALL_FLOATS:
        values = element_values.expected_bits(fqn, SEED, dtype, 0, count).reshape(shape)
        dataset = add_small_float(group, name, dtype, values)
    else:
        values = element_values.expected_values(fqn, SEED, dtype, 0, count).reshape(shape)
        dataset = group.create_dataset(name, data=values, **options)
    dataset.attrs["dtype"] = dtype
    return dataset


def digest(array: Any) -> Any:
    return xxhash.xxh3_64_intdigest(np.ascontiguousarray(array).tobytes())


class CheckpointCase(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.directory = pathlib.Path(folder.name)

    def make(self, step: Any = 7) -> Any:
        """An open, committed, empty checkpoint."""
        path = self.directory / f"step-{step:08d}"
        path.mkdir()
        (path / "COMMIT").write_bytes(b"")
        file = h5py.File(path / "checkpoint.h5", "w")
        self.addCleanup(file.close)
        for name in ("tensors", "objects", "shardmark"):
            file.create_group(name)
        file["shardmark"].attrs["seed"] = np.uint64(SEED)
        return file

    def fill(self, file: Any) -> None:
        """Every dtype in several shapes, awkward names, two objects."""
        for dtype in element_values.DTYPE_NAMES:
            for shape in [(), (0,), (3, 0), (1,), (257,), (5, 7, 3)]:
                add_tensor(file["tensors"], f"w.{dtype}.{shape}", dtype, shape)
        for fqn in ["", ".", "a/b", "50%", "line\nfeed", "größe"]:
            add_tensor(file["tensors"], fqn, "int64", (4,))
        for fqn, size in [("step", 8), ("rng_state", 5056), ("empty", 0)]:
            data = element_values.expected_object_bytes(fqn, SEED, size)
            file["objects"].create_dataset(fqn, data=data)

    def findings(self, file: Any, **options: Any) -> Any:
        file.close()
        return checkpoint_reader.check_checkpoint(self.directory, **options).findings

    def assert_one(self, findings: Any, *parts: Any) -> None:
        self.assertEqual(1, len(findings), [str(f) for f in findings])
        for part in parts:
            self.assertIn(part, str(findings[0]))


class ValueLaw(unittest.TestCase):
    def test_values_given_by_the_design(self) -> None:
        found = element_values.expected_values("a.b", 3, "int64", 0, 4)
        expected = [
            -7584380531001642242,
            -8596903600962804303,
            -9191511763120697622,
            -2705101140188212929,
        ]
        self.assertEqual(expected, found.tolist())
        found = element_values.expected_values("a.b", 3, "bfloat16", 0, 4)
        self.assertEqual([0.5859375, 0.53125, 0.5, 0.8515625], found.tolist())

    def test_against_plain_integers(self) -> None:
        def v(fqn: str, seed: int, i: Any) -> Any:
            z = 0xCBF29CE484222325
            for byte in fqn.encode():
                z = (z ^ byte) * 0x100000001B3 % 2**64
            z = (z + (seed + 1) * 0x9E3779B97F4A7C15 + i * 0xD1B54A32D192ED03) % 2**64
            z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
            z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
            return z ^ z >> 31

        for fqn, seed, start in [("", 0, 0), ("größe", 2**64 - 1, 2**40), ("w", 17, 12345)]:
            found = element_values.hashed(fqn, seed, start, 5).tolist()
            self.assertEqual([v(fqn, seed, start + i) for i in range(5)], found)

    def test_float8_by_hand(self) -> None:
        bits = np.array([0x00, 0x01, 0x07, 0x10, 0x37, 0x77, 0xB0], dtype=np.uint8)
        e4m3 = np.array([0.0, 2**-9, 7 * 2**-9, 2**-5, 0.9375, 240.0, -0.5])
        e5m2 = np.array([0.0, 2**-16, 1.75 * 2**-14, 2**-11, 0.4375, 1.75 * 2**14, -0.125])
        for dtype, values in (("float8_e4m3fn", e4m3), ("float8_e4m3fnuz", e4m3 / 2),
                              ("float8_e5m2", e5m2), ("float8_e5m2fnuz", e5m2 / 2)):  # fmt: skip
            self.assertEqual(values.tolist(), element_values.float8_value(bits, dtype).tolist())

    def test_complex_from_its_text(self) -> None:
        word = -7584380531001642242 % 2**64  # of a.b, seed 3, element 0
        other = word
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
            other = (other ^ other >> shift) * factor % 2**64
        for dtype, dropped in (("complex64", 40), ("complex128", 11)):
            found = element_values.expected_values("a.b", 3, dtype, 0, 1)
            self.assertEqual(dtype, str(found.dtype))
            self.assertEqual((word >> dropped) / 2 ** (64 - dropped), found[0].real)
            self.assertEqual((other >> dropped) / 2 ** (64 - dropped), found[0].imag)


class Names(unittest.TestCase):
    def test_round_trip(self) -> None:
        pairs = {"": "%", ".": "%2E", "..": "..", "a.b": "a.b", "a/b": "a%2Fb", "5%": "5%25"}
        for fqn, name in pairs.items():
            self.assertEqual(name, checkpoint_reader.encode_name(fqn))
            self.assertEqual(fqn, checkpoint_reader.decode_name(name))

    def test_names_that_encoding_never_gives(self) -> None:
        for name in ["%2e", "a%41", "%%", "50%", "."]:
            with self.assertRaises(ValueError, msg=name):
                checkpoint_reader.decode_name(name)


class Slabs(unittest.TestCase):
    def test_they_are_row_major_and_complete(self) -> None:
        for shape in [(), (5,), (4, 6), (3, 4, 5), (2, 1, 3, 2)]:
            whole = np.arange(int(np.prod(shape))).reshape(shape)
            for limit in (1, 2, 5, 7, 1000):
                slabs = list(checkpoint_reader.row_major_slabs(shape, limit))
                joined = [whole[s].reshape(-1).tolist() for s, _, _ in slabs]
                self.assertEqual(whole.reshape(-1).tolist(), sum(joined, []))
                self.assertEqual([s for _, s, _ in slabs], [part[0] for part in joined])
                self.assertTrue(all(len(p) == n for p, (_, _, n) in zip(joined, slabs)))


class Elements(CheckpointCase):
    def test_good_checkpoint(self) -> None:
        file = self.make()
        self.fill(file)
        self.assertEqual([], [str(f) for f in self.findings(file, expected_seed=SEED)])

    def test_one_wrong_element_of_every_dtype_is_named(self) -> None:
        file = self.make()
        for dtype in element_values.DTYPE_NAMES:
            dataset = add_tensor(file["tensors"], dtype, dtype, (5, 7, 3))
            if dtype in SMALL_FLOATS:
                bits = checkpoint_reader.read_bits(dataset, (), 105, dtype).reshape(5, 7, 3)
                bits[2, 6, 1] ^= 1
                kind = dataset.id.get_type()
                dataset.id.write(h5py.h5s.ALL, h5py.h5s.ALL, bits, mtype=kind)
            else:
                right = dataset[2, 6, 1]
                dataset[2, 6, 1] = not right if dtype == "bool" else 0 if right else 1
        findings = self.findings(file)
        self.assertCountEqual(element_values.DTYPE_NAMES, [f.entry for f in findings])
        for finding in findings:
            self.assertIn("element [2, 6, 1]: expected", finding.message)

    def test_swapped_tensors_of_one_shape(self) -> None:
        file = self.make()
        a = add_tensor(file["tensors"], "a", "float32", (8, 8))
        b = add_tensor(file["tensors"], "b", "float32", (8, 8))
        a[...], b[...] = b[...], a[...]
        self.assertEqual(["a", "b"], [f.entry for f in self.findings(file)])

    def test_wrong_object_seed_dtype_name(self) -> None:
        file = self.make()
        data = element_values.expected_object_bytes("step", SEED, 8)
        data[5] ^= 255
        file["objects"].create_dataset("step", data=data)
        self.assert_one(self.findings(file), "step: object of 8 bytes, element [5]")
        file = h5py.File(self.directory / "step-00000007" / "checkpoint.h5", "a")
        del file["objects/step"]
        self.assert_one(self.findings(file, expected_seed=4), "expected 4, found 3")

    def test_missing_dtype_and_wrong_type(self) -> None:
        file = self.make()
        del add_tensor(file["tensors"], "a", "int32", (4,)).attrs["dtype"]
        self.assert_one(self.findings(file), "a: attribute dtype is None")
        file = h5py.File(self.directory / "step-00000007" / "checkpoint.h5", "a")
        file["tensors/a"].attrs["dtype"] = "float32"
        self.assert_one(self.findings(file), "a: dtype float32 is stored as int32")

    def test_foreign_name(self) -> None:
        file = self.make()
        file["tensors"].create_dataset("a%2fb", data=[1])
        self.assert_one(self.findings(file), "/tensors/a%2fb", "not an encoded name")

    def test_missing_source_of_a_virtual_dataset(self) -> None:
        file = self.make()
        values = element_values.expected_values("v", SEED, "float32", 0, 24).reshape(6, 4)
        with h5py.File(self.directory / "step-00000007" / "rank-0.h5", "w") as source:
            source["part"] = values[:3]
        layout = h5py.VirtualLayout(shape=(6, 4), dtype="<f4")
        layout[:3] = h5py.VirtualSource("rank-0.h5", "part", shape=(3, 4))
        layout[3:] = h5py.VirtualSource("rank-1.h5", "part", shape=(3, 4))
        file["tensors"].create_virtual_dataset("v", layout, fillvalue=np.nan)
        file["tensors/v"].attrs["dtype"] = "float32"
        self.assert_one(self.findings(file), "v: ", "element [3, 0]", "found nan")


class Steps(CheckpointCase):
    def test_newest_committed_step(self) -> None:
        for step in (3, 12, 20):
            self.make(step).close()
        (self.directory / "step-00000020" / "COMMIT").unlink()
        (self.directory / ".step-00000030.partial-1").mkdir()
        self.assertEqual("step-00000012", committed_steps.find_step(self.directory).name)
        with self.assertRaisesRegex(committed_steps.CheckpointError, "step 20 .* 3, 12"):
            committed_steps.find_step(self.directory, 20)

    def test_what_is_called_commit_counts(self) -> None:
        for step in (3, 12):
            self.make(step).close()
        commit = self.directory / "step-00000012" / "COMMIT"
        commit.unlink()
        commit.symlink_to("nowhere")
        self.assertEqual("step-00000012", committed_steps.find_step(self.directory).name)

    def test_nothing_committed(self) -> None:
        with self.assertRaisesRegex(committed_steps.CheckpointError, "no committed step"):
            committed_steps.find_step(self.directory)


class Checksums(CheckpointCase):
    def checksums(self, file: Any, table: Any) -> Any:
        body = b"manifest"
        manifest = body + xxhash.xxh3_64_intdigest(body).to_bytes(8, "little")
        file["shardmark"]["manifest"] = np.frombuffer(manifest, dtype=np.uint8)
        file["shardmark"]["checksums"] = np.array(table, dtype="<u8")
        file.close()
        return checksum_table.check_checksums(self.directory)

    def written(self, file: Any) -> Any:
        """A contiguous row split, a 2-D split, an hdf5_chunk grid, a 0-d one, an object."""
        a = add_tensor(file["tensors"], "a", "float32", (10, 3))[...]
        b = add_tensor(file["tensors"], "b", "bfloat16", (4, 6))
        b = checkpoint_reader.read_bits(b, (), 24, "bfloat16").reshape(4, 6)
        c = add_tensor(file["tensors"], "c", "int16", (7, 5), chunks=(4, 5))[...]
        d = add_tensor(file["tensors"], "d", "float64", ())[...]
        step = element_values.expected_object_bytes("step", SEED, 8)
        file["objects"]["step"] = step
        parts = [a[:4], a[4:8], a[8:], b[:2, :3], b[:2, 3:], b[2:, :3], b[2:, 3:]]
        return [digest(part) for part in [*parts, c[:4], c[4:], d, step]]

    def test_good_table(self) -> None:
        file = self.make()
        findings, entries, explained = self.checksums(file, self.written(file))
        self.assertEqual([], [str(f) for f in findings])
        self.assertEqual((11, 11), (entries, explained))

    def test_every_wrong_entry_is_found(self) -> None:
        for wrong in range(11):
            with self.subTest(wrong=wrong):
                file = self.make(step=wrong)
                table = self.written(file)
                table[wrong] ^= 1
                text = " ".join(str(f) for f in self.checksums(file, table)[0])
                self.assertIn(f"entry {wrong}, ", text)
                self.assertIn("no set of stored chunks", text)


class CommandLine(CheckpointCase):
    def run_check(self, *arguments: Any) -> Any:
        command = [sys.executable, str(CHECK), str(self.directory), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def test_exit_codes(self) -> None:
        file = self.make()
        self.fill(file)
        file.close()
        done = self.run_check()
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn(f"{6 * (len(element_values.DTYPE_NAMES) + 1)} tensors", done.stdout)
        self.assertEqual(1, self.run_check("--tensors", "133").returncode)
        with h5py.File(self.directory / "step-00000007" / "checkpoint.h5", "a") as file:
            file["tensors/a%2Fb"][2] = 1
        done = self.run_check()
        self.assertEqual(1, done.returncode)
        self.assertRegex(done.stderr, r"a/b: dtype int64, .*element \[2\]: expected .*, found 1")


if __name__ == "__main__":
    unittest.main()
