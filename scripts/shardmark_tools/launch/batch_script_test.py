# SPDX-License-Identifier: Apache-2.0
"""Tests of the batch scripts that scripts/run --batch writes: what the manager reads, and what the shell runs, with
stand-ins for launchers."""

import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Sequence
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.launch import batch_script  # noqa: E402
from shardmark_tools.launch.launcher_stand_ins import write_stand_in  # noqa: E402

WRITER = pathlib.Path(__file__).with_name("batch_script.py")
PREFIX = {"slurm": "#SBATCH ", "pbs": "#PBS ", "flux": "# flux: "}
VARIABLES = {"SLURM_JOB_ID": "7", "PBS_JOBID": "8.server", "FLUX_JOB_ID": "f9"}
LOGS = {"slurm": "slurm-7.out", "pbs": "pbs-8.out", "flux": "flux-f9.out"}
ODD_NAMES = ("two words", "it's", 'a "quote"', "50%", "#hash", "a\\b", "$HOME `x`", "größe", "*", "-n", "{{id}}", "$(touch x)")


class BatchScript(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory(prefix="with space ")
        self.addCleanup(holder.cleanup)
        self.root = pathlib.Path(holder.name)
        self.job = self.root / "job.sh"
        self.out = self.root

    def write(self, kind: str = "slurm", *more: str,
              command: Sequence[str] = ("shardmark", "run", "a suite")) -> subprocess.CompletedProcess[str]:  # fmt: skip
        words = [sys.executable, str(WRITER), "--batch", kind, f"--job={self.job}", "--nodes", "4", "--ranks-per-node", "8",
                 "--label", "quick", f"--out={self.out}", *more, "--", *command]  # fmt: skip
        return subprocess.run(words, capture_output=True, text=True, check=False)

    def stand_in(self, name: str, text: str) -> None:
        path = self.root / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def submit(self, kind: str = "slurm") -> str:
        """What the script's command printed, which went to the result folder."""
        environment = {**os.environ, **VARIABLES, "PATH": f"{self.root}:{os.environ['PATH']}", "PBS_NODEFILE": "/nodes"}
        done = subprocess.run(["bash", self.job], capture_output=True, text=True, check=False, env=environment)
        self.assertEqual((done.stdout, done.stderr), ("", ""))
        return (self.out / LOGS[kind]).read_text()

    def directives(self, kind: str) -> list[Any]:
        """As the manager would split them."""
        lines = self.job.read_text().splitlines()
        self.assertEqual(lines[0], "#!/bin/bash")
        found = [line.removeprefix(PREFIX[kind]) for line in lines if line.startswith(PREFIX[kind])]
        self.assertEqual(lines[1 : 1 + len(found)], [PREFIX[kind] + line for line in found])  # before all else
        return found if kind == "pbs" else [shlex.split(line, comments=True) for line in found]

    def test_what_slurm_reads(self) -> None:
        done = self.write("slurm", "--time", "1:30:00", "--account", "me", "--partition", "big")
        self.assertEqual(done.returncode, 0, done.stderr)
        for wanted in ("--nodes=4", "--ntasks-per-node=8", "--time=1:30:00", "--account=me", "--partition=big"):
            self.assertIn([wanted], self.directives("slurm"))

    def test_what_pbs_reads(self) -> None:
        self.write("pbs", "--time", "1-2:03", "--account", "me", "--partition", "big")
        self.assertEqual(self.directives("pbs"), ["-N shardmark-quick", "-l select=4:ncpus=8:mpiprocs=8", "-l place=scatter",
                                                  "-l walltime=26:03:00", "-j oe", "-A me", "-q big"])  # fmt: skip

    def test_what_flux_reads(self) -> None:
        self.write("flux", "--time", "20", "--account", "a b", "--partition", "big")
        self.assertEqual(self.directives("flux"), [["--job-name=shardmark-quick"], ["--nodes=4"], ["--nslots=32"],
                                                   ["--time-limit=1200s"], ["--output=/dev/null"],
                                                   ["--setattr=bank=a b"], ["--queue=big"]])  # fmt: skip

    def test_times(self) -> None:
        for text, seconds in (("30", 1800), ("5:10", 310), ("1:00:01", 3601), ("2-3", 183600), ("1-0:30", 88200), ("1-1:1:1", 90061)):
            self.assertEqual(batch_script.seconds_of(text), seconds)

    def test_srun_where_it_has_pmix_else_mpirun(self) -> None:
        self.write()
        self.stand_in("mpirun", 'echo mpirun "$@"')
        self.stand_in("srun", '[ "$1" = --mpi=list ] && echo none pmix && exit; echo srun "$@"')
        self.assertEqual(self.submit(), "srun --mpi=pmix shardmark run a suite\n")
        self.stand_in("srun", '[ "$1" = --mpi=list ] && echo none && exit; echo srun "$@"')
        self.assertEqual(self.submit(), "mpirun -n 32 shardmark run a suite\n")

    def test_pbs_starts_by_the_mpiexec_that_is_there(self) -> None:
        self.write("pbs")
        for said, words in (("mpiexec version 1.3.4 (PALS)", "-n 32 --ppn 8"), ("mpirun (Open MPI) 5.0.1", "--hostfile /nodes -n 32"),
                            ("HYDRA build details:", "-f /nodes -ppn 8 -n 32")):  # fmt: skip
            self.stand_in("mpiexec", f'[ "$1" = --version ] && echo "{said}" && exit; echo mpiexec "$@"')
            self.assertEqual(self.submit("pbs"), f"mpiexec {words} shardmark run a suite\n")

    def test_ranks_are_started(self) -> None:
        """By stand-ins that refuse options which the manuals do not list."""
        for kind, name, variable in (("pbs", "pals", "PALS_RANKID"), ("flux", "flux", "FLUX_TASK_RANK")):
            write_stand_in(self.root, name, sys.executable)
            self.write(kind, command=("sh", "-c", f"echo ${variable}"))
            self.assertEqual(sorted(map(int, self.submit(kind).split())), list(range(32)))

    def test_a_launcher_of_ones_own(self) -> None:
        self.write("slurm", "--launcher", "mpirun --bind-to core")
        self.stand_in("mpirun", 'echo mpirun "$@"')
        self.assertEqual(self.submit(), "mpirun --bind-to core -n 32 shardmark run a suite\n")
        self.write("pbs", "--launcher", "pals:mpiexec --line-buffer")
        self.stand_in("mpiexec", 'echo mpiexec "$@"')
        self.assertEqual(self.submit("pbs"), "mpiexec --line-buffer -n 32 --ppn 8 shardmark run a suite\n")

    def test_any_path_can_be_named(self) -> None:
        """What the shell runs comes out as it was; bash and shellcheck find nothing."""
        for kind in PREFIX:
            for name in ODD_NAMES:
                self.out = self.root / f"{kind} of {name}"
                self.out.mkdir()
                self.job = self.out / "job.sh"
                done = self.write(kind, command=("shardmark", "run", name))
                self.assertEqual(done.returncode, 0, done.stderr)
                self.directives(kind)
                tell = 'pwd; printf "%s\\n" "$@"'
                self.stand_in("srun", f'[ "$1" = --mpi=list ] && echo none pmix && exit; {tell}')
                self.stand_in("mpiexec", f'[ "$1" = --version ] && exit; {tell}')
                self.stand_in("flux", tell)
                said = self.submit(kind).splitlines()
                self.assertEqual((said[0], said[-3:]), (str(self.out), ["shardmark", "run", name]))
                self.assertEqual(subprocess.run(["bash", "-n", self.job], check=False).returncode, 0)
        self.assertFalse(list(self.root.rglob("x")))

    def test_shellcheck(self) -> None:
        if not shutil.which("shellcheck"):
            self.skipTest("no shellcheck here")
        for kind in PREFIX:
            self.out = self.root / 'it\'s "odd" $HOME'
            self.write(kind, "--account", "me")  # SC2016: that a $ in single quotes stays one is what is wanted
            done = subprocess.run(["shellcheck", "--exclude=SC2016", self.job], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stdout)

    def test_slurm_splits_directives_as_a_shell(self) -> None:
        for name in ODD_NAMES:
            self.write("slurm", f"--account={name}")
            self.assertIn([f"--account={name}"], self.directives("slurm"))
            self.write("flux", f"--account={name}")
            self.assertIn([f"--setattr=bank={name}"], self.directives("flux"))

    def test_refusals(self) -> None:
        for kind, *more in (("slurm", "--time", "soon"), ("slurm", "--time", "0"), ("slurm", "--nodes", "0"),
                            ("pbs", "--out", "two\nlines"),
                            ("flux", "--account", "a\nb"), ("pbs", "--account", "a b"), ("lsf",)):  # fmt: skip
            done = self.write(kind, *more)
            self.assertEqual(done.returncode, 2, more)
            self.assertNotIn("Traceback", done.stderr)


if __name__ == "__main__":
    unittest.main()
