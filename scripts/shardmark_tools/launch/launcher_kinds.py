# SPDX-License-Identifier: Apache-2.0
"""The table of launchers: how each is known, told nodes and ranks, bound, what environment it wants, and how it tells
a process its rank.

Sources: the manual pages mpirun(1) of Open MPI 4 and 5, prterun(1), srun(1), flux-run(1), mpiexec(1) of MPICH (Hydra)
and of HPE's Parallel Application Launch Service (PALS).
"""

import dataclasses
import pathlib
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence

from shardmark_tools.launch.relative_paths import CannotLaunch, split_words

VERSION_LIMIT_S = 20.0
FAILED, PAST_DEADLINE = 1, 3  # exit codes of the command that it leaves without MPI_Finalize
SAID = re.compile(r"^(shardmark: )?error: ", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class World:
    """Ranks to start; `hosts` None where the launcher finds them itself."""

    nodes: int
    ranks_per_node: int
    hosts: tuple[str, ...] | None = None

    @property
    def ranks(self) -> int:
        return self.nodes * self.ranks_per_node


@dataclasses.dataclass(frozen=True)
class LauncherKind:
    name: str
    programs: tuple[str, ...]  # by which of these it is called
    says: re.Pattern[str]  # in what `PROGRAM --version` prints
    placed: Callable[[World], list[str]]  # the options for nodes, ranks and hosts
    bound: Mapping[str, tuple[str, ...]]  # "none" and "core": the options for binding
    environment: Mapping[str, str]  # always
    crowded: Mapping[str, str]  # besides, for more ranks than cores on one machine
    rank: str  # the variable in which a process finds its rank
    manager: str | None = None  # the allocation whose nodes it takes without being told
    words: tuple[str, ...] = ()  # between program and options
    hostfile: str | None = None  # its option for a file of hosts
    killed: int | None = None  # what it ends with where it killed ranks because one had left without MPI_Finalize

    def exit_code(self, code: int | None, said: str) -> int | None:
        """The command's own, of what the launcher ended with: Hydra tells the signal in its place."""
        if code is None or code != self.killed or not SAID.search(said):
            return code
        return PAST_DEADLINE if "past run.deadline" in said else FAILED


def counted_hosts(world: World) -> str:
    return ",".join(f"{host}:{world.ranks_per_node}" for host in world.hosts or ())


def of_openmpi(world: World) -> list[str]:
    return [*(["--host", counted_hosts(world)] if world.hosts else []), "-n", str(world.ranks)]


def of_hydra(world: World) -> list[str]:
    hosts = ["-hosts", ",".join(world.hosts)] if world.hosts else []
    return [*hosts, "-ppn", str(world.ranks_per_node), "-n", str(world.ranks)]


def of_srun(world: World) -> list[str]:
    hosts = ["--nodelist", ",".join(world.hosts)] if world.hosts else []
    return [*hosts, "-N", str(world.nodes), "--ntasks-per-node", str(world.ranks_per_node), "-n", str(world.ranks)]


def of_flux(world: World) -> list[str]:
    hosts = [f"--requires=hosts:{','.join(world.hosts)}"] if world.hosts else []
    return [*hosts, f"--nodes={world.nodes}", f"--tasks-per-node={world.ranks_per_node}"]


def of_pals(world: World) -> list[str]:
    hosts = ["--hosts", ",".join(world.hosts)] if world.hosts else []
    return [*hosts, "-n", str(world.ranks), "--ppn", str(world.ranks_per_node)]


AS_ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
BIND_TO = {"none": ("--bind-to", "none"), "core": ("--bind-to", "core")}

KINDS = (
    LauncherKind(
        "openmpi", ("mpirun", "mpiexec", "orterun", "mpirun.openmpi", "mpiexec.openmpi"), re.compile(r"\(Open MPI\) [1-4]\."),
        of_openmpi, BIND_TO, AS_ROOT,
        {"OMPI_MCA_rmaps_base_oversubscribe": "1", "OMPI_MCA_hwloc_base_binding_policy": "none",
         "OMPI_MCA_mpi_yield_when_idle": "1"}, "OMPI_COMM_WORLD_RANK", hostfile="--hostfile",
    ),
    LauncherKind(  # Open MPI 5 starts ranks by PRRTE
        "prrte", ("prterun", "prun", "mpirun", "mpiexec"), re.compile(r"\(Open MPI\) ([5-9]|\d\d)\.|PRRTE|prterun", re.IGNORECASE),
        of_openmpi, BIND_TO, {**AS_ROOT, "PRTE_ALLOW_RUN_AS_ROOT": "1", "PRTE_ALLOW_RUN_AS_ROOT_CONFIRM": "1"},
        {"PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe", "PRTE_MCA_hwloc_default_binding_policy": "none"},
        "OMPI_COMM_WORLD_RANK", hostfile="--hostfile",
    ),
    LauncherKind(
        "hydra", ("mpiexec.hydra", "mpiexec.mpich", "mpirun.mpich", "mpiexec", "mpirun"), re.compile(r"HYDRA|Intel\(R\) MPI"),
        of_hydra, {"none": ("-bind-to", "none"), "core": ("-bind-to", "core")}, {}, {}, "PMI_RANK", hostfile="-f", killed=9,
    ),
    LauncherKind(
        "srun", ("srun",), re.compile(r"^slurm\S* \d", re.MULTILINE), of_srun,
        {"none": ("--cpu-bind=none",), "core": ("--cpu-bind=cores",)}, {}, {}, "PMIX_RANK", manager="slurm",
    ),
    LauncherKind(
        "flux", ("flux",), re.compile(r"^(commands|libflux-core):\s", re.MULTILINE), of_flux,
        {"none": ("--setopt=cpu-affinity=off",), "core": ("--setopt=cpu-affinity=per-task",)}, {}, {}, "FLUX_TASK_RANK",
        manager="flux", words=("run",),
    ),
    LauncherKind(
        "pals", ("mpiexec", "mpirun", "aprun"), re.compile(r"PALS|^mpiexec version \d", re.MULTILINE), of_pals,
        {"none": ("--cpu-bind", "none"), "core": ("--cpu-bind", "core")}, {}, {}, "PALS_RANKID", manager="pbs", hostfile="--hostfile",
    ),
)  # fmt: skip
BY_NAME = {kind.name: kind for kind in KINDS}
KILLED = {kind.killed for kind in KINDS if kind.killed is not None}
LAUNCHER_WORDS = 4  # a wrapper's and the launcher's own come first


def version_text(program: str) -> str:
    """What a launcher says of itself; empty where it says nothing."""
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL,
                              timeout=VERSION_LIMIT_S, check=False)  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout + done.stderr


def called(name: str) -> list[LauncherKind]:
    return [kind for kind in KINDS if name in kind.programs]


def with_subcommand(kind: LauncherKind, words: Sequence[str]) -> list[str]:
    """`flux` alone starts nothing."""
    return [*words, *kind.words] if pathlib.PurePath(words[-1]).name in kind.programs else list(words)


def named_or_detected(text: str) -> tuple[LauncherKind, list[str]]:
    """Kind and words of a launcher as people write it: `KIND:COMMAND` says which it is ("pals:mpiexec")."""
    name, colon, rest = text.partition(":")
    named = BY_NAME.get(name) if colon else None
    words = split_words(rest if named else text)
    if not words:
        raise CannotLaunch(f"--launcher '{text}' names no command")
    kind = named or detect(words)
    return kind, with_subcommand(kind, words)


def detect(words: Sequence[str]) -> LauncherKind:
    """By the program's name where only one kind is called so, else by what it says of itself. A wrapper
    ("scripts/dev/nodes mpirun") is known by the first of its words that is a launcher's name; what is like
    nothing known counts ranks by -n, as all but Flux understand."""
    for word in words:
        kinds = called(pathlib.PurePath(word).name)
        if len(kinds) == 1:
            return kinds[0]
        if kinds:
            said = version_text(shutil.which(word) or word)
            return next((kind for kind in KINDS if kind in kinds and kind.says.search(said)), kinds[0])
    return BY_NAME["openmpi"]


def exit_code(words: Sequence[str], code: int | None, said: str) -> int | None:
    """Of the command that these words start, with a launcher or without."""
    return detect(words[:LAUNCHER_WORDS]).exit_code(code, said) if code in KILLED else code
