# SPDX-License-Identifier: Apache-2.0
"""Every launcher is known, told its ranks, and starts them: real ones where the machine has them, else stand-ins."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.launch import launch_words, launcher_kinds  # noqa: E402
from shardmark_tools.launch.allocation import allocation  # noqa: E402
from shardmark_tools.launch.jobs import MPI_ENVIRONMENT, RANK_VARIABLES, SHELL_RANK  # noqa: E402
from shardmark_tools.launch.launcher_stand_ins import STAND_INS, write_stand_in  # noqa: E402
from shardmark_tools.launch.launching import Launcher  # noqa: E402
from shardmark_tools.refusal import Refused  # noqa: E402

SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "FLUX_JOB_SIZE")
TELL = (f"import os; e = os.environ; "
        f"rank, size = (next(e[n] for n in names if n in e) for names in ({RANK_VARIABLES}, {SIZES})); "
        f"os.write(1, f'{{rank}} {{size}}\\n'.encode())")  # fmt: skip
ENVIRONMENT = pathlib.Path(__file__).resolve().parents[2] / "dev/environment.sh"
MANAGER_VARIABLES = ("SLURM_JOB_NODELIST", "PBS_NODEFILE", "FLUX_URI")


class Kinds(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory(prefix="launch-")
        self.addCleanup(holder.cleanup)
        self.root = pathlib.Path(holder.name)
        self.saved = dict(os.environ)
        self.addCleanup(self.restore)
        for name in MANAGER_VARIABLES:
            os.environ.pop(name, None)

    def restore(self) -> None:
        os.environ.clear()
        os.environ.update(self.saved)

    def on_path(self, name: str) -> None:
        write_stand_in(self.root, name, sys.executable)
        os.environ["PATH"] = f"{self.root}:{os.environ['PATH']}"

    def tool(self, name: str, text: str) -> None:
        (self.root / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.root / name).chmod(0o755)
        os.environ["PATH"] = f"{self.root}:{os.environ['PATH']}"

    def ranks_of(self, launcher: Launcher, nodes: int, ranks_per_node: int, on: list[str] | None = None) -> list[str]:
        command = [*launcher.command(nodes, ranks_per_node, on), *launcher.kind.bound["none"], sys.executable, "-c", TELL]
        done = subprocess.run(command, capture_output=True, text=True, env=launcher.environment(nodes * ranks_per_node),
                              timeout=300, check=False)  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)
        return sorted(done.stdout.splitlines())

    def test_stand_ins_start_ranks(self) -> None:
        for name in STAND_INS:
            with self.subTest(name):
                self.setUp()
                self.on_path(name)
                launcher = Launcher.make(STAND_INS[name].program)
                self.assertEqual(launcher.kind.name, name)
                self.assertEqual(self.ranks_of(launcher, 2, 3, ["a", "b"]), [f"{rank} 6" for rank in range(6)])
                self.restore()

    def test_stand_ins_refuse_what_no_manual_lists(self) -> None:
        self.on_path("flux")
        done = subprocess.run(["flux", "run", "--ppn=2", "true"], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (1, "stand-in: unknown option --ppn=2\n"))

    def test_real_ones_start_ranks(self) -> None:
        found = [name for name in ("mpirun", "mpiexec.hydra") if shutil.which(name)]
        for name in found:
            with self.subTest(name):
                self.assertEqual(self.ranks_of(Launcher.make(name), 1, 3), ["0 3", "1 3", "2 3"])
        if len(found) < 2:
            self.skipTest(f"only {found} here")

    def test_known_by_what_they_say(self) -> None:
        for said, name in (("mpirun (Open MPI) 4.1.4", "openmpi"), ("mpirun (Open MPI) 5.0.3", "prrte"), ("HYDRA build details:", "hydra"),
                           ("mpiexec version 1.2.12 (PALS)", "pals"), ("Intel(R) MPI Library for Linux", "hydra"),
                           ("something else", "openmpi")):  # fmt: skip
            self.tool("mpiexec", f"echo '{said}'")
            self.assertEqual(Launcher.make("mpiexec").kind.name, name, said)
        self.tool("srun", "exit 1")  # without a configuration it tells nothing
        self.assertEqual(Launcher.make("srun --mpi=pmix").kind.name, "srun")

    def test_words(self) -> None:
        world = launcher_kinds.World(2, 4, ("a", "b"))
        expected = {
            "openmpi": "--host a:4,b:4 -n 8", "prrte": "--host a:4,b:4 -n 8", "hydra": "-hosts a,b -ppn 4 -n 8",
            "srun": "--nodelist a,b -N 2 --ntasks-per-node 4 -n 8", "flux": "--requires=hosts:a,b --nodes=2 --tasks-per-node=4",
            "pals": "--hosts a,b -n 8 --ppn 4",
        }  # fmt: skip
        self.assertEqual({kind.name: " ".join(kind.placed(world)) for kind in launcher_kinds.KINDS}, expected)
        self.assertTrue(all(set(kind.bound) == {"none", "core"} for kind in launcher_kinds.KINDS))

    def test_a_kind_can_be_named(self) -> None:
        self.tool("start", "exit 0")
        self.assertEqual(Launcher.make("pals:start --line-buffer").command(1, 2)[1:], ["--line-buffer", "-n", "2", "--ppn", "2"])
        with self.assertRaises(Refused):
            Launcher.make("pals:")

    def test_wrappers(self) -> None:
        self.tool("mpirun", "echo 'mpirun (Open MPI) 4.1.4'")
        self.tool("wrap", 'exec "$@"')
        self.assertEqual(Launcher.make("wrap mpirun --tag-output").kind.name, "openmpi")

    def test_a_signal_of_the_launcher_hides_no_exit_code(self) -> None:
        late, failed = "shardmark: error: past run.deadline, 3 s", "shardmark: error: no space"
        for name, codes in (("hydra", (3, 1, 9)), ("openmpi", (9, 9, 9))):
            kind = launcher_kinds.BY_NAME[name]
            self.assertEqual(tuple(kind.exit_code(9, said) for said in (late, failed, "")), codes, name)
            self.assertEqual([kind.exit_code(code, failed) for code in (0, 1, 2, 3, None)], [0, 1, 2, 3, None])

    def test_hosts_of_an_allocation(self) -> None:
        self.assertIsNone(allocation())
        nodes = self.root / "nodes"
        nodes.write_text("n1\nn1\nn2\nn2\n")
        os.environ["PBS_NODEFILE"] = str(nodes)
        self.assertEqual(allocation().hosts, ("n1", "n2"))
        self.on_path("pals")
        taken = Launcher.make("mpiexec")  # in its own manager's allocation it needs no names
        self.assertEqual(taken.command(2, 4)[1:], ["-n", "8", "--ppn", "4"])
        self.assertIn("--hosts", taken.command(1, 4, ["n2"]))
        self.assertEqual(Launcher.make("hydra:env").command(2, 4)[1:3], ["-hosts", "n1,n2"])
        self.assertIn("only 2 hosts", taken.refusal(3))
        self.tool("scontrol", '[ "$3" = "s[1-2]" ] && printf "s1\\ns2\\n"')
        os.environ["SLURM_JOB_NODELIST"] = "s[1-2]"
        self.assertEqual((allocation().manager, allocation().hosts), ("slurm", ("s1", "s2")))
        self.tool("flux", '[ "$*" = "hostlist --local --expand" ] && echo f1 f2 f3')
        os.environ["FLUX_URI"] = "local:///x"
        self.assertEqual(allocation().hosts, ("f1", "f2", "f3"))

    def test_one_environment_for_python_and_shell(self) -> None:
        """scripts/run sets it before it may ask Python anything."""
        named = [name for name in os.environ if name.startswith(("OMPI_", "PRTE_"))]
        for name in [*named, "SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID"]:
            os.environ.pop(name, None)
        script = f". '{ENVIRONMENT}' && set_mpi_environment 1000000 && env"
        lines = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.splitlines()
        shell = dict(line.split("=", 1) for line in lines if line.startswith(("OMPI_", "PRTE_")))
        self.assertEqual(shell, MPI_ENVIRONMENT)

    def test_a_shell_finds_its_rank(self) -> None:
        for name in RANK_VARIABLES:
            done = subprocess.run(["sh", "-c", f'printf %s "{SHELL_RANK}"'], capture_output=True, text=True, check=True,
                                  env={"PATH": os.environ["PATH"], name: "3"})  # fmt: skip
            self.assertEqual(done.stdout, "3", name)

    def test_words_for_the_shell(self) -> None:
        hosts = self.root / "hosts"
        hosts.write_text("n1 slots=2\n")
        self.tool("mpiexec.hydra", "exit 0")
        self.assertEqual(launch_words.words(Launcher.make("mpiexec.hydra"), str(hosts), "core")[1:],
                         ["-f", str(hosts), "-bind-to", "core"])  # fmt: skip
        self.tool("srun", "exit 0")
        with self.assertRaises(Refused):
            launch_words.words(Launcher.make("srun"), str(hosts), None)


if __name__ == "__main__":
    unittest.main()
