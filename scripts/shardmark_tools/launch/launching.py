# SPDX-License-Identifier: Apache-2.0
"""Starts the command on one machine, on a list of hosts, or under Slurm."""

import ctypes
import dataclasses
import os
import pathlib
import shutil
import signal
import subprocess
from collections.abc import Iterable

from shardmark_tools.launch.relative_paths import CannotLaunch, launcher_words

ROOT = pathlib.Path(__file__).resolve().parents[3]
PR_SET_PDEATHSIG = 1


def find_command(build: str | None = None) -> pathlib.Path:
    """The executable of a build folder (default: build/release), or the file itself."""
    path = pathlib.Path(build) if build else ROOT / "build" / "release"
    candidates = [path, path / "bench/cli/shardmark", path / "bin/shardmark"]
    for candidate in candidates:
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate.resolve()
    tried = ", ".join(str(candidate) for candidate in candidates)
    raise CannotLaunch(f"no shardmark command; tried {tried}; scripts/run builds one")


def read_hosts(path: pathlib.Path | str) -> list[str]:
    """Host names of an Open MPI host file, in order."""
    try:
        lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CannotLaunch(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    words = [line.split("#")[0].split() for line in lines]
    hosts = list(dict.fromkeys(line[0] for line in words if line))
    if not hosts:
        raise CannotLaunch(f"{path}: no hosts; expected lines like 'node1 slots=2'")
    return hosts


def slurm_hosts() -> list[str] | None:
    """Hosts of the allocation that this runs in, or None."""
    nodes = os.environ.get("SLURM_JOB_NODELIST")
    if not nodes or not shutil.which("scontrol"):
        return None
    done = subprocess.run(["scontrol", "show", "hostnames", nodes], capture_output=True, text=True, check=False)
    return done.stdout.split() or None


def end_with_parent() -> None:
    """In the child: a session of its own that gets SIGTERM when this process dies, however it does."""
    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclasses.dataclass
class Launcher:
    words: list[str]  # "mpirun", "srun --mpi=pmix", "scripts/dev/nodes mpirun"
    hosts: list[str] | None  # None: this machine only

    @classmethod
    def make(cls, text: str, hostfile: str | None = None) -> "Launcher":
        hosts = read_hosts(hostfile) if hostfile else slurm_hosts()
        return cls(launcher_words(text), hosts)

    def is_srun(self) -> bool:
        return pathlib.Path(self.words[0]).name == "srun"

    def refusal(self, nodes: int) -> str | None:
        """Why that many nodes cannot be had; None if they can."""
        if self.hosts is None and nodes > 1 and not self.is_srun():
            return f"{nodes} nodes want --hostfile, or an allocation of Slurm"
        if self.hosts is not None and nodes > len(self.hosts):
            return f"{nodes} nodes, but only {len(self.hosts)} hosts: {', '.join(self.hosts)}"
        return None

    def command(self, nodes: int, ranks_per_node: int) -> list[str]:
        ranks = str(nodes * ranks_per_node)
        if self.is_srun():
            return [*self.words, "-N", str(nodes), "--ntasks-per-node", str(ranks_per_node), "-n", ranks]
        hosts: list[str] = []
        if self.hosts is not None:
            hosts = ["--host", ",".join(f"{host}:{ranks_per_node}" for host in self.hosts[:nodes])]
        return [*self.words, *hosts, "-n", ranks]

    def environment(self, ranks: int) -> dict[str, str]:
        """Root in containers is normal; more ranks than cores must yield, unbound."""
        made = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        if ranks > len(os.sched_getaffinity(0)) and "SLURM_JOB_ID" not in os.environ and self.hosts is None:
            for name, value in (("rmaps_base_oversubscribe", "1"), ("hwloc_base_binding_policy", "none"),
                                ("mpi_yield_when_idle", "1")):  # fmt: skip
                made.setdefault(f"OMPI_MCA_{name}", value)
        return made


def setting_options(settings: Iterable[str]) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]
