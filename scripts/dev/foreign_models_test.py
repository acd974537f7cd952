#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Models and configurations that are not ours, as the built command takes them: headers as the hub has them, indices,
experts, quantised and cut-less models, very many tensors, keys without end. Sizes are computed here.

Usage: foreign_models_test.py SHARDMARK
"""

import json
import math
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import unittest
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from shardmark_tools.interpreter import ensure_modules

ensure_modules("h5py", "numpy", status=77)
import h5py

SHARDMARK = sys.argv[1]
# Bits of an element; all that the format's own library knows.
BITS = {"F64": 64, "F32": 32, "F16": 16, "BF16": 16, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
        "I64": 64, "I32": 32, "I16": 16, "I8": 8, "U64": 64, "U32": 32, "U16": 16, "U8": 8, "BOOL": 8, "C64": 64}  # fmt: skip
OBJECTS = 8 + 5056 + 1024
MOST_BYTES = 1 << 30

Tensors = dict[str, tuple[str, list[int]]]


def num_bytes(tensors: Tensors) -> int:
    return sum(math.prod(shape) * BITS[dtype] // 8 for dtype, shape in tensors.values())


class ForeignModels(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory(prefix="shardmark-foreign-")
        self.addCleanup(holder.cleanup)
        self.here = pathlib.Path(holder.name)

    def write(self, name: str, tensors: Tensors, metadata: Any = None) -> str:
        """Writes a file that is all header: no element is read for a plan."""
        header: dict[str, Any] = {"__metadata__": metadata}
        offset = 0
        for fqn, (dtype, shape) in tensors.items():
            size = num_bytes({fqn: (dtype, shape)})
            header[fqn] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + size]}
            offset += size
        text = json.dumps(header).encode()
        (self.here / name).write_bytes(len(text).to_bytes(8, "little") + text)
        return name

    def command(self, status: int, *words: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([SHARDMARK, *words], cwd=self.here, capture_output=True, text=True, timeout=240, check=False)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertLessEqual(len(done.stderr.splitlines()), 6 if status == 2 else 100, done.stderr)
        for word in ("basic_string", "what():", "json.exception"):
            self.assertNotIn(word, done.stderr)
        return done

    def plan(self, name: str, *more: str, optimizer: str = "none", world: int = 1) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.command(
            0, "plan", "smoke", "--json", "--world", str(world), "--set", "model.scale=1.0", "--set",
            f"model.safetensors={name}", "--set", f"model.optimizer={optimizer}", *more).stdout)  # fmt: skip
        return document

    def test_dtypes_are_taken_by_their_width(self) -> None:
        tensors: Tensors = {f"of.{dtype}": (dtype, [6, 4]) for dtype in BITS}
        self.assertEqual(self.plan(self.write("all.safetensors", tensors))["num_bytes"], num_bytes(tensors) + OBJECTS)
        self.command(0, "save", "smoke", "--set", "model.scale=1.0", "--set", "model.safetensors=all.safetensors", "--set",
                     "model.optimizer=none", "--dir", "kept", "--step", "1")  # fmt: skip
        with h5py.File(self.here / "kept" / "step-00000001" / "checkpoint.h5") as file:
            for dtype in ("F6_E2M3", "F6_E3M2"):  # without a name here
                dataset = file[f"tensors/of.{dtype}"]
                self.assertEqual((dataset.dtype.name, dataset.size), ("uint8", 6 * 4 * 6 // 8))
                self.assertEqual(dataset.attrs["published_dtype"], dtype.encode())
            for dtype, name in (("F8_E8M0", "float8_e8m0fnu"), ("C64", "complex64"), ("F4", "float4_e2m1fn_x2"), ("U32", "uint32")):
                attributes = file[f"tensors/of.{dtype}"].attrs
                self.assertEqual(attributes["dtype"], name.encode())
                self.assertNotIn("published_dtype", attributes)

    def test_any_metadata(self) -> None:
        for metadata in (None, {}, {"format": "pt"}, {"a": "b" * 1000}):
            name = self.write("m.safetensors", {"a": ("F32", [2])}, metadata)
            self.assertEqual(self.plan(name)["num_bytes"], 8 + OBJECTS)

    def test_an_index_selects(self) -> None:
        self.write("p1.safetensors", {"a": ("F32", [8]), "head": ("F32", [8, 8])})
        self.write("p2.safetensors", {"b": ("F32", [8]), "head": ("F32", [8, 8])})
        index = {"weight_map": {"a": "p1.safetensors", "head": "p1.safetensors", "b": "p2.safetensors"}}
        (self.here / "model.safetensors.index.json").write_text(json.dumps(index))
        for name in ("model.safetensors.index.json", "."):
            self.assertEqual(self.plan(name)["num_bytes"], 4 * (8 + 64 + 8) + OBJECTS)
        said = self.command(0, "plan", "smoke", "--set", "model.scale=1.0", "--set", "model.safetensors=.").stdout
        self.assertIn("'head' of p2.safetensors", said)

    def test_experts_of_any_numbers(self) -> None:
        few: Tensors = {f"experts.{i}.w1": ("BF16", [8, 8]) for i in range(2)}
        later: Tensors = {f"model.layers.1.mlp.experts.{i}.w1": ("BF16", [8, 8]) for i in range(3, 8)}
        for tensors in (few, later):
            for experts in ("separate", "stacked"):
                found = self.plan(self.write("e.safetensors", tensors), "--set", f"model.experts={experts}")
                self.assertEqual(found["num_bytes"], num_bytes(tensors) + OBJECTS)
                self.assertEqual(found["tensors"], len(tensors) if experts == "separate" else 1)

    def test_only_floating_point_tensors_have_states(self) -> None:
        tensors: Tensors = {"n": ("I64", []), "w": ("F32", [64]), "q": ("I32", [64, 64]), "mask": ("BOOL", [64, 64])}
        name = self.write("q.safetensors", tensors)
        self.assertEqual(self.plan(name, optimizer="adamw")["num_bytes"], num_bytes(tensors) + 3 * 64 * 4 + OBJECTS)

    def plan_of_two(self, first: str, second: str) -> str:
        """What plan says of a model of two matrices under tensor parallelism."""
        tensors: Tensors = {first: ("F32", [768, 2304]), second: ("F32", [768, 3072])}
        return self.command(0, "plan", "smoke", "--set", "model.scale=1.0", "--set", "parallel.strategy=megatron", "--world", "4",
                            "--set", f"model.safetensors={self.write('g.safetensors', tensors)}").stdout  # fmt: skip

    def test_what_is_left_uncut_is_said(self) -> None:
        said = self.plan_of_two("x.0.mixer.in.weight", "x.0.mixer.out.weight")
        self.assertRegex(said, "100 % of the bytes are not cut by tensor parallelism")
        self.assertIn("largest 'x.0.mixer.out.weight'", said)
        said = self.plan_of_two("h.0.attn.c_attn.weight", "h.0.mlp.c_fc.weight")
        self.assertNotIn("not cut by tensor parallelism", said)
        self.assertRegex(said, "without a known name: 0 B of 0")

    def test_tensors_named_as_our_objects(self) -> None:
        tensors: Tensors = {name: ("F32", [4]) for name in ("step", "rng_state", "dataloader_state", "a/b", "%", ".")}
        self.assertEqual(self.plan(self.write("n.safetensors", tensors))["num_bytes"], num_bytes(tensors) + OBJECTS)

    def test_bytes_beyond_two_to_the_63(self) -> None:
        header = {"a": {"dtype": "F64", "shape": [2**31, 2**31], "data_offsets": [0, 2**65]}}
        text = json.dumps(header).encode()
        (self.here / "b.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)
        self.assertIn("b.safetensors", self.command(2, "plan", "smoke", "--set", "model.safetensors=b.safetensors").stderr)

    def test_a_key_of_many_parts(self) -> None:
        (self.here / "deep.toml").write_text(".".join("a" * 20_000) + " = 1\n")
        self.assertIn("deep.toml:1", self.command(2, "plan", "deep.toml").stderr)

    def test_a_plan_of_very_many_tensors_stays_bounded(self) -> None:
        name = self.write("wide.safetensors", {f"model.layers.{i}.weight": ("BF16", [64, 64]) for i in range(100_000)})
        child = os.fork()
        if child == 0:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            os.chdir(self.here)
            os.dup2(os.open("said", os.O_WRONLY | os.O_CREAT), 1)
            os.execv(SHARDMARK, [SHARDMARK, "plan", "smoke", "--world", "4", "--json", "--set", "model.scale=1.0", "--set",
                                 f"model.safetensors={name}", "--set", "model.optimizer=none"])  # fmt: skip
        _, status, usage = os.wait4(child, 0)
        self.assertEqual(status, 0)
        self.assertEqual(json.loads((self.here / "said").read_text())["tensors"], 100_000)
        self.assertLess(usage.ru_maxrss * 1024, MOST_BYTES)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
