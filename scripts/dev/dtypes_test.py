#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tensors of every dtype saved by the command, read by h5py alone and loaded again.

Usage: dtypes_test.py SHARDMARK. At 1 to 4 ranks, in the layouts that store differently; the model is a
safetensors header, so that its names for the types are read too. Exit code 1 on any difference.
"""

import json
import math
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from shardmark_tools.interpreter import ensure_modules

ensure_modules("numpy", "h5py", status=77)

import h5py

from shardmark_tools.checkpoint.checkpoint_reader import check_checkpoint
from shardmark_tools.checkpoint.element_values import DTYPE_NAMES, ITEM_SIZES

COMMAND = sys.argv.pop(1) if len(sys.argv) > 1 else ""
LAYOUTS = ("shared", "shared-chunked", "per-rank", "packed")
SEED = 12345
# safetensors' name, ours, what h5py takes it for.
TYPES = (
    ("F64", "float64", "float64"), ("F32", "float32", "float32"), ("F16", "float16", "float16"),
    ("BF16", "bfloat16", "float32"), ("F8_E4M3", "float8_e4m3fn", "float16"), ("F8_E5M2", "float8_e5m2", "float16"),
    ("I64", "int64", "int64"), ("I32", "int32", "int32"), ("I16", "int16", "int16"), ("I8", "int8", "int8"),
    ("U8", "uint8", "uint8"), ("BOOL", "bool", "bool"), ("U16", "uint16", "uint16"), ("U32", "uint32", "uint32"),
    ("U64", "uint64", "uint64"), ("C64", "complex64", "complex64"), ("F8_E4M3FNUZ", "float8_e4m3fnuz", "float16"),
    ("F8_E5M2FNUZ", "float8_e5m2fnuz", "float32"), ("F8_E8M0", "float8_e8m0fnu", "uint8"),
    ("F4", "float4_e2m1fn_x2", "uint8"), ("F6_E2M3", "uint8", "uint8"), ("F6_E3M2", "uint8", "uint8"),
)  # fmt: skip
BITS = {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6}
SHAPES = ((), (0, 8), (24,), (29, 16), (7, 3, 8), (96, 64))


def write_header(path: pathlib.Path) -> dict[str, tuple[str, str, list[int]]]:
    """A safetensors file without elements; {name: (dtype, published dtype, shape in elements of ours)}."""
    header, expected, at = {}, {}, 0
    for code, dtype, _ in TYPES:
        for shape in SHAPES:
            bits = BITS.get(code, 8 * ITEM_SIZES[dtype])
            if bits < 8 and not shape:
                continue
            name = f"{code}.{len(shape)}.{math.prod(shape)}"
            num_bytes = math.prod(shape) * bits // 8
            header[name] = {"dtype": code, "shape": shape, "data_offsets": [at, at + num_bytes]}
            stored = [*shape[:-1], shape[-1] * bits // 8] if bits < 8 else list(shape)
            expected[name] = dtype, code if bits < 8 and dtype == "uint8" else "", stored
            at += num_bytes
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    return expected


class DtypesTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.settings = ["model.scale=1.0", "model.optimizer=none", "parallel.strategy=fsdp"]

    def run_command(self, ranks: int, *words: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        launch = ["mpirun", "-n", str(ranks)] if ranks else []
        done = subprocess.run([*launch, COMMAND, *map(str, words)], capture_output=True, text=True, timeout=300,
                              check=False, stdin=subprocess.DEVNULL)  # fmt: skip
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def save(self, ranks: int, directory: pathlib.Path, *settings: str) -> list[str]:
        sets = [word for setting in (*self.settings, *settings) for word in ("--set", setting)]
        self.run_command(ranks, "save", "smoke", "--dir", directory, "--step", 1, "--seed", SEED, *sets)
        return sets

    def check(self, directory: pathlib.Path, expected: dict[str, tuple[str, str, list[int]]]) -> None:
        report = check_checkpoint(directory, 1, SEED)
        self.assertEqual([str(finding) for finding in report.findings], [])
        self.assertEqual(report.tensors, len(expected))
        taken_for = {dtype: kind for _, dtype, kind in TYPES} | {"complex128": "complex128"}
        with h5py.File(report.path, "r") as file:
            for name, (dtype, published, shape) in expected.items():
                dataset = file["tensors"][name]
                self.assertEqual(dataset.attrs["dtype"].decode(), dtype, name)
                self.assertEqual(dataset.attrs.get("published_dtype", b"").decode(), published, name)
                self.assertEqual(list(dataset.shape), shape, name)
                self.assertEqual(str(dataset.dtype), taken_for[dtype], name)

    def test_every_layout_at_one_to_four_ranks(self) -> None:
        expected = write_header(self.folder / "all.safetensors")
        self.assertEqual({dtype for dtype, _, _ in expected.values()} | {"complex128"}, set(DTYPE_NAMES))
        self.settings.append(f"model.safetensors={self.folder / 'all.safetensors'}")
        for layout in LAYOUTS:
            for ranks in (1, 2, 3, 4):
                with self.subTest(layout=layout, ranks=ranks):
                    directory = self.folder / f"{layout}-{ranks}"
                    sets = self.save(ranks, directory, f"storage.layout={layout}")
                    self.check(directory, expected)
            listed = json.loads(self.run_command(0, "inspect", directory, "--verify", "--json").stdout)
            found = {t["fqn"]: (t["dtype"], t["published_dtype"] or "", t["shape"]) for t in listed["tensors"]}
            self.assertEqual(found, expected)
            done = self.run_command(3, "load", "smoke", "--dir", directory, "--verify", "--json", *sets)
            self.assertIs(json.loads(done.stdout)["verified"], True)

    def test_a_type_that_only_the_configuration_can_name(self) -> None:
        directory = self.folder / "c128"
        sets = self.save(3, directory, "model.name=matrix", 'model.matrix_sizes="96x60,77"', "model.dtype=complex128",
                         "storage.io=collective")  # fmt: skip
        self.check(directory, {"matrix.0": ("complex128", "", [96, 60]), "vector.1": ("complex128", "", [77])})
        self.run_command(2, "load", "smoke", "--dir", directory, "--verify", *sets)

    def test_quantized_and_bit_types_are_refused_by_name(self) -> None:
        for name in ("qint8", "quint4x2", "bits8", "uint4"):
            done = self.run_command(0, "plan", "smoke", "--set", f"model.dtype={name}", code=2)
            self.assertIn(name, done.stderr)
            self.assertIn("quantized and bit types", done.stderr)


if __name__ == "__main__":
    unittest.main()
