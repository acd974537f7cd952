#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""safetensors files are cut as readers take them, and parts of tensors are not taken for whole ones."""

import json
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.interpreter import ensure_modules

ensure_modules("numpy", "h5py", "xxhash", status=77)

from shardmark_tools.convert import safetensors_target
from shardmark_tools.convert.conversion import convert
from shardmark_tools.convert.convert_fixture import options
from shardmark_tools.convert.safetensors_target import cut_shards, header_of
from shardmark_tools.convert.tensors import ConvertError, Tensor


class SafetensorsTargetTest(unittest.TestCase):
    def test_headers_have_their_limit(self) -> None:
        """Many tensors of few bytes: more files, each header as long as a reader takes it."""
        tensors = [Tensor(f"t{n}" + "\u00f6\"" * (n % 50), "uint8", (n % 3, 0, n), []) for n in range(1000)]
        for limit in (5000, 9000, 30_000):
            shards = cut_shards(tensors, 10**9, limit)
            self.assertEqual(sorted(t.fqn for shard in shards for t in shard), sorted(t.fqn for t in tensors))
            sizes = [len(header_of(shard)[0]) - 8 for shard in shards]
            self.assertLessEqual(max(sizes), limit)
            self.assertGreater(min(sizes[:-1]), limit - 2 * 4096)
        self.assertEqual(len(cut_shards(tensors, 10**9)), 1)
        with mock.patch.object(safetensors_target, "MOST_INDEX_BYTES", 1000), self.assertRaisesRegex(ConvertError, "at most 1000"):
            safetensors_target.index_of({"f": tensors})

    def test_parts_of_tensors_are_refused(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            header = {"__metadata__": {"DCP_SHARDING_INFO": "{}"}, "w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}
            text, path = json.dumps(header).encode(), pathlib.Path(folder) / "m.safetensors"
            path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(8))
            with self.assertRaisesRegex(ConvertError, "m.safetensors: __metadata__ has 'DCP_SHARDING_INFO'"):
                convert(options(path, path.parent / "out"))
            self.assertEqual(list(path.parent.iterdir()), [path])


if __name__ == "__main__":
    unittest.main()
