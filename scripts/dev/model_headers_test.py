#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command reads headers of ten published models and says what tensor parallelism leaves whole of each.

Usage: model_headers_test.py SHARDMARK [--whole]. Counts are those that the models' publishers state; what is left whole
is compared with each model's own plan (model_headers.py). Prints the share that stays whole. Of models with very many
tensors only some layers are planned, but with --whole.
"""

import json
import math
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from model_headers import MODELS, num_bytes, write_header

WHOLE = "--whole" in sys.argv and not sys.argv.remove("--whole")
MANY = 5000
COMMAND = sys.argv.pop(1) if len(sys.argv) > 1 else ""
# Elements of all tensors but masks; of gpt-oss, whose weights are packed, bytes.
ELEMENTS = {
    "llama-3.1-8b": 8_030_261_248, "mixtral-8x7b": 46_702_792_704, "qwen2.5-7b": 7_615_616_512,
    "qwen3-30b-a3b": 30_532_122_624, "gemma-2-9b": 9_241_705_984, "gpt2": 124_439_808,
    "opt-1.3b": 1_315_758_080, "falcon-7b": 7_217_189_760, "deepseek-v3": 684_531_386_000,
}  # fmt: skip
BYTES = {"gpt-oss-20b": 13_761_264_768}


class ModelHeadersTest(unittest.TestCase):
    def told(self, path: pathlib.Path, *settings: str, words: tuple[str, ...] = ()) -> str:
        command = [COMMAND, "plan", "smoke", "--world", "4", *words]
        for setting in (f"model.safetensors={path}", "model.scale=1.0", "model.optimizer=none", *settings):
            command += ["--set", setting]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def plan(self, path: pathlib.Path, *settings: str) -> dict[str, Any]:
        return json.loads(self.told(path, *settings, words=("--json",)))

    def test_what_is_left_whole_is_what_the_plans_leave(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for model in MODELS:
                path = pathlib.Path(folder) / f"{model}.safetensors"
                tensors = list(MODELS[model]())
                if model in ELEMENTS:
                    masks = sum(math.prod(t[2]) for t in tensors if t[0].endswith(".attn.bias"))
                    self.assertEqual(sum(math.prod(t[2]) for t in tensors) - masks, ELEMENTS[model], model)
                else:
                    self.assertEqual(sum(map(num_bytes, tensors)), BYTES[model], model)
                if len(tensors) > MANY and not WHOLE:  # the first five layers, and DeepSeek's last
                    tensors = [t for t in tensors if not re.search(r"layers\.([5-9]|[1-5][0-9]|60)\.", t[0])]
                write_header(path, tensors)
                whole = [num_bytes(tensor) for tensor in tensors if tensor[3] is None]
                expected = {"tensors": len(whole), "num_bytes": sum(whole), "unknown_tensors": 0, "unknown_bytes": 0}
                for strategy in ("megatron", "fsdp-tp"):
                    document = self.plan(path, f"parallel.strategy={strategy}", "parallel.tp=2")
                    self.assertEqual(document["uncut"], expected, f"{model}, {strategy}")
                    self.assertEqual(document["notes"], [], model)
                print(f"{model}: {100 * sum(whole) / sum(map(num_bytes, tensors)):.3f} % stays whole", flush=True)

    def test_a_name_that_nobody_knows_is_told_and_can_be_ruled(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "own.safetensors"
            header = {"blocks.0.mixer.in.weight": {"dtype": "BF16", "shape": [64, 32], "data_offsets": [0, 4096]},
                      "blocks.0.norm.weight": {"dtype": "BF16", "shape": [32], "data_offsets": [4096, 4160]}}  # fmt: skip
            text = json.dumps(header).encode()
            path.write_bytes(len(text).to_bytes(8, "little") + text)
            document = self.plan(path, "parallel.strategy=megatron")
            self.assertIn("4.06 KiB of 2 tensors; without a known name: 4.00 KiB of 1", self.told(path, "parallel.strategy=megatron"))
            self.assertEqual(document["uncut"], {"tensors": 2, "num_bytes": 4160, "unknown_tensors": 1, "unknown_bytes": 4096})
            self.assertIn("blocks.0.mixer.in.weight", document["notes"][0])
            document = self.plan(path, "parallel.strategy=megatron", 'parallel.rules={"*.mixer.in.*" = "S(0)"}')
            self.assertEqual(document["uncut"], {"tensors": 1, "num_bytes": 64, "unknown_tensors": 0, "unknown_bytes": 0})
            self.assertEqual(document["notes"], [])
            document = self.plan(path, "parallel.strategy=fsdp")
            self.assertIsNone(document["uncut"])


if __name__ == "__main__":
    unittest.main()
