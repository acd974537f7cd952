#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Metadata that PyTorch's DCP wrote is read as Python's unpickler reads it; what is damaged or made
to hurt is refused or read alike, in bounded memory, and nothing is opened, imported or executed.

SHARDMARK_MUTATIONS sets how many damaged files are tried (600), SHARDMARK_SEED which ones.
"""

import os
import pathlib
import random
import resource
import subprocess
import sys
import time
import unittest
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.interpreter import ensure_modules

ensure_modules("numpy", status=77)

from shardmark_tools.job import pickle_assembler as made
from shardmark_tools.job.dcp_job import job_from_dcp
from shardmark_tools.job.dcp_metadata import MetadataError, parse_metadata, read_metadata
from shardmark_tools.job.hostile_pickles import all_cases
from shardmark_tools.job.limits import LimitError, Limits
from shardmark_tools.job.pickle_oracle import as_plain, read_by_pickle

GOLDEN = pathlib.Path(__file__).resolve().parent / "golden"
MEMORY_MIB = 512
SHARDED = {  # of make_dcp.py: cut along which dimension
    "rows": ((10, 6), 0), "columns": ((6, 10), 1), "short": ((5, 3), 0), "fewer": ((3, 2), 0),
}  # fmt: skip

events = []
watching = False


def watch(event: Any, _arguments: Any) -> None:
    if watching:
        events.append(event)


def parse(data: Any, limits: Any = None) -> Any:
    """parse_metadata() while every audit event is written down."""
    global watching
    path = pathlib.Path("x")
    limits = limits or Limits(60, MEMORY_MIB // 4)  # by the clock, and CI may be busy; processor seconds are told
    watching = True
    try:
        return parse_metadata(data, path, limits)
    finally:
        watching = False


def golden_files() -> Any:
    return sorted(GOLDEN.glob("torch-*/.metadata"))


def all_files() -> Any:
    return sorted(GOLDEN.glob("*/.metadata"))


def mutated(data: Any, random_source: Any, others: Any) -> Any:
    """`data` with one to three damages of several kinds."""
    data = bytearray(data)
    for _ in range(random_source.randint(1, 3)):
        at = random_source.randrange(len(data) + 1)
        length = random_source.choice((1, 1, 2, 4, 9, 40))
        kind = random_source.randrange(7)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << random_source.randrange(8)
        elif kind == 1 and at < len(data):
            data[at] = random_source.randrange(256)
        elif kind == 2:
            del data[at : at + length]
        elif kind == 3:
            data[at:at] = random_source.randbytes(length)
        elif kind == 4:
            data[at:at] = data[at : at + length]
        elif kind == 5:  # a piece of another file, or of this one from elsewhere
            other = random_source.choice(others)
            start = random_source.randrange(len(other))
            data[at : at + length] = other[start : start + length]
        elif random_source.randrange(8) == 0:
            del data[at:]
    return bytes(data)


class GoldenTest(unittest.TestCase):
    def test_six_checkpoints_are_there(self) -> None:
        self.assertEqual(len(golden_files()), 6)

    def test_read_as_pickle_reads_them(self) -> None:
        for path in golden_files():
            with self.subTest(path.parent.name):
                checkpoint = read_metadata(path.parent)
                self.assertEqual(as_plain(checkpoint), read_by_pickle(path.read_bytes()))
                self.assertEqual(checkpoint.version, path.parent.name.split("-")[1].split(".6")[0])

    def test_boxes_by_hand(self) -> None:
        for path in golden_files():
            world = int(path.parent.name.rsplit("-")[-1])
            tensors = {t.fqn.removeprefix("model."): t for t in read_metadata(path.parent).tensors}
            for fqn, (shape, dim) in SHARDED.items():
                part = -(-shape[dim] // world)
                expected = []
                for rank, first in enumerate(range(0, shape[dim], part)):
                    offsets, sizes = [0, 0], list(shape)
                    offsets[dim], sizes[dim] = first, min(part, shape[dim] - first)
                    expected.append((tuple(offsets), tuple(sizes), rank))
                found = [(c.offsets, c.sizes, c.writer) for c in tensors[fqn].chunks]
                self.assertEqual(found, expected, (path.parent.name, fqn))

    def test_objects_and_kinds(self) -> None:
        tensors, objects = as_plain(read_metadata(GOLDEN / "torch-2.6-4"))
        self.assertEqual(tensors["model.plain.float8_e4m3fnuz"][0], "float8_e4m3fnuz")
        self.assertEqual(tensors["model.scalar"][1], ())
        self.assertEqual(tensors["model.empty"][1:], ((0, 4), []))
        self.assertEqual(sorted(objects), ["model.rng.name", "model.rng.seed", "model.step"])

    def test_megatron(self) -> None:
        shards = {"mcore_data": made.table([(made.text("w"), made.table([
            (made.text("nd_reformulated_orig_global_shape"), made.sequence(made.number(4)))]))])}  # fmt: skip
        checkpoint = parse(made.one_tensor(**shards))
        wanted = {"w": {"nd_reformulated_orig_global_shape": (4,)}}
        self.assertEqual(checkpoint.mcore_data, wanted)

    def test_torch_dist(self) -> None:
        """What golden/make_torch_dist.py had PyTorch 2.6 write under Python 3.13."""
        path = GOLDEN / "torch_dist-2.6-4"
        checkpoint = read_metadata(path)
        self.assertEqual(as_plain(checkpoint), read_by_pickle((path / ".metadata").read_bytes()))
        self.assertEqual(checkpoint.world_size, 4)
        self.assertEqual(checkpoint.mcore_data, {"rows": {"nd_reformulated_orig_global_shape": (10, 6)}})
        self.assertEqual(sorted(checkpoint.objects), [f"rng_state/shard_0.{rank}_1.4" for rank in range(4)])
        columns = next(t for t in checkpoint.tensors if t.fqn.endswith("linear_fc2.weight"))
        self.assertEqual([(c.offsets, c.sizes, c.writer) for c in columns.chunks],
                         [((0, 0, 2 * rank), (3, 4, 2), rank) for rank in range(4)])  # fmt: skip

    def test_plans_of_megatron(self) -> None:
        """As Megatron-Core keeps them under `all_local_plans`, in the ways that Python 3.11 and others pickle enums."""
        kind = made.named(made.PLANNER, "WriteItemType")
        shard = made.call(made.named("builtins", "getattr"), kind, made.text("SHARD"))
        data = made.made(made.PLANNER, "TensorWriteData", {
            "chunk": made.chunk((0,), (4,)), "properties": made.properties(), "size": made.size(4)})  # fmt: skip
        some_bytes = made.made(made.PLANNER, "BytesIOWriteData", {"nbytes": made.number(7)})
        plans = made.listed(
            made.save_plan(made.write_item("w", shard, tensor_data=data)),
            made.save_plan(made.write_item("o", made.call(kind, made.number(3)), bytes_io_data=some_bytes)),
            made.save_plan(module=made.PLANNER, name="SavePlan"),
        )  # fmt: skip
        for root in ((made.METADATA, "Metadata"), (made.MEGATRON, "MCoreMetadata")):
            for file, writer in (("__1_0.distcp", 1), ("model__1_0.distcp", 1), ("shard_1.distcp", None)):
                data = made.one_tensor(places=[((0,), made.storage(file))], kind=root, all_local_plans=plans)
                checkpoint = parse(data)
                self.assertEqual(as_plain(checkpoint), read_by_pickle(data))
                self.assertEqual((checkpoint.world_size, checkpoint.tensors[0].chunks[0].writer), (3, writer))
                job = job_from_dcp(checkpoint)
                self.assertEqual((job.world_size, job.world_size_known, job.source["megatron"]), (3, True, True))
        alone = job_from_dcp(parse(made.one_tensor(places=[((0,), made.storage("__1_0.distcp"))])))
        self.assertEqual((alone.world_size, alone.world_size_known), (2, False))


class HostileTest(unittest.TestCase):
    def test_hostile_files_are_refused_by_name(self) -> None:
        cases = all_cases()
        self.assertGreaterEqual(len(cases), 50)
        slowest_s = 0.0
        for what, (data, word) in cases.items():
            with self.subTest(what):
                events.clear()
                start_s = time.thread_time()
                with self.assertRaises((MetadataError, LimitError)) as caught:
                    parse(data)
                slowest_s = max(slowest_s, time.thread_time() - start_s)
                self.assertEqual(events, [])
                self.assertIn(word, str(caught.exception))
                self.assertLess(len(str(caught.exception)), 400)
        print(f"hostile: {len(cases)} by hand, all refused by name, nothing opened, imported or run; "
              f"slowest {slowest_s:.3f} s of the processor")  # fmt: skip

    def test_the_audit_hook_sees(self) -> None:
        global watching
        events.clear()
        watching = True
        try:
            open(os.devnull, "rb").close()
        finally:
            watching = False
        self.assertIn("open", events)

    def test_limits(self) -> None:
        data = (GOLDEN / "torch-1.13-4" / ".metadata").read_bytes()
        with self.assertRaisesRegex(LimitError, "--seconds"):
            parse(data, Limits(0, MEMORY_MIB))
        with self.assertRaisesRegex(LimitError, "--memory"):
            Limits(10, 1).check_bytes(2**20, "x")


class MutationTest(unittest.TestCase):
    def test_mutations_are_refused_or_read_alike(self) -> None:
        count = int(os.environ.get("SHARDMARK_MUTATIONS", "600"))
        seed = int(os.environ.get("SHARDMARK_SEED", "23"))
        files = [path.read_bytes() for path in all_files()]
        read, slowest_s = 0, 0.0
        for number in range(count):
            random_source = random.Random(f"{seed}/{number}")
            data = mutated(random_source.choice(files), random_source, files)
            events.clear()
            start_s = time.thread_time()
            try:
                checkpoint = parse(data)
            except (MetadataError, LimitError):
                checkpoint = None
            slowest_s = max(slowest_s, time.thread_time() - start_s)
            self.assertEqual(events, [], f"seed {seed}, mutation {number}")
            if checkpoint is not None:
                read += 1
                self.assertEqual(
                    as_plain(checkpoint), read_by_pickle(data), f"seed {seed}, mutation {number}"
                )
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"seed {seed}: {count} mutations, {read} read alike, the rest refused; slowest "
              f"{slowest_s:.3f} s of the processor, peak {peak_mib:.0f} MiB")  # fmt: skip


def main() -> Any:
    """Runs itself in a process that may not have more memory than the limit."""
    if "SHARDMARK_INSIDE" not in os.environ:
        limit = MEMORY_MIB << 20
        environment = os.environ | {"SHARDMARK_INSIDE": "1"}
        return subprocess.run(
            [sys.executable, __file__, *sys.argv[1:]], env=environment, check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        ).returncode  # fmt: skip
    sys.addaudithook(watch)
    unittest.main()
    return 0


if __name__ == "__main__":
    sys.exit(main())
