# SPDX-License-Identifier: Apache-2.0
"""The gate as a command in the process of a test, and result folders with known laws to give it."""

import contextlib
import dataclasses
import importlib.machinery
import importlib.util
import io
import json
import pathlib
import sys
import tempfile
import types
import unittest
from typing import Any

import numpy as np

from shardmark_tools import entry
from shardmark_tools.results import synthetic_results as synthetic

GATE = pathlib.Path(__file__).resolve().parents[2] / "gate"


def load_gate() -> types.ModuleType:
    loader = importlib.machinery.SourceFileLoader("gate", str(GATE))
    spec = importlib.util.spec_from_loader("gate", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode = True
    loader.exec_module(module)
    return module


@dataclasses.dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


def run_gate(gate: types.ModuleType, arguments: list[str]) -> Done:
    """The command in this process: importing scipy anew takes longer than all else."""
    out, err = io.StringIO(), io.StringIO()
    saved, sys.argv = sys.argv, ["gate", *arguments]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            entry.run(gate.main)
    except SystemExit as leaving:
        return Done(int(leaving.code or 0), out.getvalue(), err.getvalue())
    finally:
        sys.argv = saved


class GateCase(unittest.TestCase):
    command: types.ModuleType

    @classmethod
    def setUpClass(cls) -> None:
        cls.command = load_gate()

    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.root = pathlib.Path(holder.name)
        self.rng = np.random.default_rng(20260131)

    def write(self, name: str, **how: Any) -> pathlib.Path:
        return synthetic.write_run(self.root / name, synthetic.make_run(self.rng, **how))

    def gate(self, *arguments: object) -> Done:
        return run_gate(self.command, [str(argument) for argument in arguments])

    def verdicts(self, *arguments: object) -> tuple[int, dict[str, Any]]:
        done = self.gate(*arguments, "--json", "-")
        self.assertTrue(done.stdout, done.stderr)
        document = json.loads(done.stdout)
        self.assertEqual(document["exit_code"], done.returncode)
        return done.returncode, {row["name"].split("/")[0]: row for row in document["benchmarks"]}
