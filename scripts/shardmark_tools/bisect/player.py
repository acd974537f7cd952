# SPDX-License-Identifier: Apache-2.0
"""A command and a launcher for tests: runs take no time and say what their settings, environment and build tell them.

What slows them down is written `NAME=FACTOR` in the file `slow` beside the command: a setting "storage.threads=1", an
environment entry "OMPI_MCA_io=romio321", or the word "always"; factors multiply. Times differ by 1 %, by the folder.
"""

import json
import pathlib
import sys

import numpy as np

from shardmark_tools.results import synthetic_results

COMMAND = """\
#!{python} -IS
import json, math, os, pathlib, random, sys
here = pathlib.Path(__file__).resolve().parent
words = sys.argv[1:]
if words[0] == "plan":
    print(json.dumps({{"world_size": 2, "num_bytes": 1, "bytes_per_rank": {{"max": 1}}}}))
    sys.exit(0)
given = {{words[i + 1] for i, word in enumerate(words) if word == "--set"}} | {{"always"}}
given |= {{f"{{k}}={{v}}" for k, v in os.environ.items()}}
factors = [line.rpartition("=") for line in (here / "slow").read_text().split("\\n") if line]
family, template = {family!r}, json.loads(pathlib.Path({template!r}).read_text())
out = pathlib.Path(words[words.index("--out") + 1])
with open({counter!r}, "a") as counter:
    counter.write("1\\n")
noise = random.Random(str(out.parent.parent) + out.name)
slow = math.prod(float(factor) for name, _, factor in factors if name in given)
for sample in template["samples"]:
    if sample["family"] == family:
        sample["time_s"] *= slow * math.exp(noise.gauss(0, 0.01))
out.joinpath("samples.json").write_text(json.dumps(template))
out.joinpath("benchmark.json").write_text("{{}}")
"""
LAUNCHER = '#!/bin/sh\n[ "$1" = --version ] && { echo "mpirun (Open MPI) 4.1.4"; exit 0; }\nshift 2\nexec "$@"\n'


def executable(path: pathlib.Path, text: str) -> pathlib.Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


class Player:
    """`command` in a folder of its own, `launcher` beside it."""

    def __init__(self, root: pathlib.Path, slow: str = "", family: str = "save") -> None:
        self.root, self.counter = root, root / "runs"
        template = root / "template.json"
        template.write_text(json.dumps(synthetic_results.make_run(np.random.default_rng(1), repetitions=1, noise=0.0)))
        self.text = COMMAND.format(python=sys.executable, family=family, template=str(template), counter=str(self.counter))
        (root / "bin").mkdir()
        self.command = executable(root / "bin" / "shardmark", self.text)
        (root / "bin" / "slow").write_text(slow, encoding="utf-8")
        self.launcher = executable(root / "mpirun", LAUNCHER)

    def runs(self) -> int:
        return len(self.counter.read_text(encoding="utf-8").split()) if self.counter.exists() else 0
