# SPDX-License-Identifier: Apache-2.0
"""Starts the command on one machine, on a list of hosts, or in an allocation of a workload manager."""

import ctypes
import dataclasses
import os
import pathlib
import signal
from collections.abc import Iterable, Sequence

from shardmark_tools.launch import launcher_kinds
from shardmark_tools.launch.allocation import allocation
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


def end_with_parent() -> None:
    """In the child: a session of its own that gets SIGTERM when this process dies, however it does."""
    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclasses.dataclass
class Launcher:
    """A command that starts ranks, of one of the kinds of `launcher_kinds`."""

    words: list[str]  # "mpirun", "srun --mpi=pmix", "scripts/dev/nodes mpirun"
    hosts: list[str] | None  # None: this machine only
    kind: launcher_kinds.LauncherKind = launcher_kinds.BY_NAME["openmpi"]
    placed_by_manager: bool = False  # it takes the nodes of its allocation without being told

    @classmethod
    def make(cls, text: str, hostfile: str | None = None) -> "Launcher":
        """Errors: CannotLaunch, if there is no such command."""
        kind, _ = launcher_kinds.named_or_detected(text)
        words = launcher_kinds.with_subcommand(kind, launcher_words(text.removeprefix(f"{kind.name}:")))
        given = allocation()
        if hostfile:
            return cls(words, read_hosts(hostfile), kind)
        hosts = list(given.hosts) if given else None
        return cls(words, hosts, kind, placed_by_manager=given is not None and given.manager == kind.manager)

    def refusal(self, nodes: int) -> str | None:
        """Why that many nodes cannot be had; None if they can."""
        if self.hosts is None and nodes > 1 and self.kind.manager is None:
            return f"{nodes} nodes want --hostfile, or an allocation of Slurm, PBS or Flux"
        if self.hosts is not None and nodes > len(self.hosts):
            return f"{nodes} nodes, but only {len(self.hosts)} hosts: {', '.join(self.hosts)}"
        return None

    def command(self, nodes: int, ranks_per_node: int, on: Sequence[str] | None = None) -> list[str]:
        """`on`: these hosts and no others."""
        hosts = on
        if hosts is None and self.hosts is not None and not self.placed_by_manager:
            hosts = self.hosts[:nodes]
        world = launcher_kinds.World(nodes, ranks_per_node, tuple(hosts) if hosts is not None else None)
        return [*self.words, *self.kind.placed(world)]

    def environment(self, ranks: int) -> dict[str, str]:
        """Root in containers is normal; more ranks than cores must yield, unbound."""
        made = {**os.environ, **self.kind.environment}
        if ranks > len(os.sched_getaffinity(0)) and self.hosts is None:
            for name, value in self.kind.crowded.items():
                made.setdefault(name, value)
        return made


def setting_options(settings: Iterable[str]) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]
