# SPDX-License-Identifier: Apache-2.0
"""Starts the command on one machine, on a list of hosts, or under Slurm."""

import ctypes
import dataclasses
import os
import pathlib
import shlex
import shutil
import signal
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[3]
PR_SET_PDEATHSIG = 1


class CannotLaunch(Exception):
    """The message says what is missing."""


def find_command(build=None):
    """The executable of a build folder (default: build/release), or the file itself."""
    path = pathlib.Path(build) if build else ROOT / "build" / "release"
    candidates = [path, path / "bench/cli/shardmark", path / "bin/shardmark"]
    for candidate in candidates:
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate.resolve()
    tried = ", ".join(str(candidate) for candidate in candidates)
    raise CannotLaunch(f"no shardmark command; tried {tried}; scripts/run builds one")


def read_hosts(path):
    """Host names of an Open MPI host file, in order."""
    try:
        lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise CannotLaunch(f"{path}: {error.strerror}") from error
    words = [line.split("#")[0].split() for line in lines]
    hosts = list(dict.fromkeys(line[0] for line in words if line))
    if not hosts:
        raise CannotLaunch(f"{path}: no hosts; expected lines like 'node1 slots=2'")
    return hosts


def slurm_hosts():
    """Hosts of the allocation that this runs in, or None."""
    nodes = os.environ.get("SLURM_JOB_NODELIST")
    if not nodes or not shutil.which("scontrol"):
        return None
    done = subprocess.run(["scontrol", "show", "hostnames", nodes], capture_output=True, text=True, check=False)
    return done.stdout.split() or None


def end_with_parent():
    """In the child: a session of its own that gets SIGTERM when this process dies, however it does."""
    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclasses.dataclass
class Launcher:
    words: list  # "mpirun", "srun --mpi=pmix", "scripts/dev/nodes mpirun"
    hosts: list | None  # None: this machine only

    @classmethod
    def make(cls, text, hostfile=None):
        hosts = read_hosts(hostfile) if hostfile else slurm_hosts()
        words = shlex.split(text)
        if not words or not shutil.which(words[0]):
            raise CannotLaunch(f"no command '{words[0] if words else text}' to start ranks with")
        words[0] = shutil.which(words[0])
        return cls(words, hosts)

    def is_srun(self):
        return pathlib.Path(self.words[0]).name == "srun"

    def refusal(self, nodes):
        """Why that many nodes cannot be had; None if they can."""
        if self.hosts is None and nodes > 1 and not self.is_srun():
            return f"{nodes} nodes want --hostfile, or an allocation of Slurm"
        if self.hosts is not None and nodes > len(self.hosts):
            return f"{nodes} nodes, but only {len(self.hosts)} hosts: {', '.join(self.hosts)}"
        return None

    def command(self, nodes, ranks_per_node):
        ranks = str(nodes * ranks_per_node)
        if self.is_srun():
            return [*self.words, "-N", str(nodes), "--ntasks-per-node", str(ranks_per_node), "-n", ranks]
        hosts = []
        if self.hosts is not None:
            hosts = ["--host", ",".join(f"{host}:{ranks_per_node}" for host in self.hosts[:nodes])]
        return [*self.words, *hosts, "-n", ranks]

    def environment(self, ranks):
        """Root in containers is normal; more ranks than cores must yield, unbound."""
        made = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        if ranks > len(os.sched_getaffinity(0)) and "SLURM_JOB_ID" not in os.environ and self.hosts is None:
            for name, value in (("rmaps_base_oversubscribe", "1"), ("hwloc_base_binding_policy", "none"),
                                ("mpi_yield_when_idle", "1")):  # fmt: skip
                made.setdefault(f"OMPI_MCA_{name}", value)
        return made


def setting_options(settings):
    return [word for setting in settings for word in ("--set", setting)]


def suite_path(suite):
    """Absolute if it is a path: commands run elsewhere."""
    is_path = "/" in suite or suite.endswith(".toml")
    return str(pathlib.Path(suite).resolve()) if is_path else suite
