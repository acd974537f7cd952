# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for launchers that a machine does not have: they start real processes, and refuse any option that the
public manual of the real one does not list.

Options: flux-run(1) of flux-core; prterun(1) of PRRTE; mpiexec(1) of PALS as the manuals of the sites that run it
have it. `=` after a name: it takes a value.
"""

import dataclasses
import pathlib

TEXT = '''#!{python}
import os, subprocess, sys
COUNT, EACH, NODES, KNOWN = {count!r}, {each!r}, {nodes!r}, {known!r}
SAYS, WORDS, RANK, SIZE = {says!r}, {words!r}, {rank!r}, {size!r}
words = sys.argv[1:]
if words == ["--version"]:
    print(SAYS)
    sys.exit(0)
if words[: len(WORDS)] != list(WORDS):
    sys.exit("stand-in: expected " + " ".join(WORDS))
words, given = words[len(WORDS):], {{}}
while words and words[0].startswith("-"):
    word = words.pop(0)
    name, equals, value = word.partition("=")
    if name not in KNOWN and name + "=" not in KNOWN:
        sys.exit("stand-in: unknown option " + word)
    if name + "=" in KNOWN:
        value = value if equals else words.pop(0)
    elif equals:
        sys.exit("stand-in: option without value " + word)
    given[name] = value
ranks = next((int(given[name]) for name in COUNT if name in given), None)
if ranks is None:
    ranks = next(int(given[n]) for n in EACH if n in given) * next(int(given[n]) for n in NODES if n in given)
started = [subprocess.Popen(words, env={{**os.environ, RANK: str(rank), SIZE: str(ranks)}}) for rank in range(ranks)]
sys.exit(max(process.wait() for process in started))
'''


@dataclasses.dataclass(frozen=True)
class StandIn:
    program: str
    says: str
    known: tuple[str, ...]
    rank: str
    size: str
    count: tuple[str, ...] = ("-n", "--ntasks", "--np", "-np")
    each: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


STAND_INS = {
    "flux": StandIn(
        "flux", "commands:    \t\t0.66.0\nlibflux-core:\t\t0.66.0",
        ("-N=", "--nodes=", "-n=", "--ntasks=", "-c=", "--cores-per-task=", "-g=", "--gpus-per-task=", "--cores=", "--tasks-per-node=",
         "--gpus-per-node=", "--tasks-per-core=", "-x", "--exclusive", "-q=", "--queue=", "-t=", "--time-limit=", "--job-name=", "--flags=",
         "--requires=", "--dependency=", "--env=", "--env-remove=", "--env-file=", "--rlimit=", "--cwd=", "--urgency=", "-v", "--verbose",
         "-o=", "--setopt=", "-S=", "--setattr=", "--add-file=", "--begin-time=", "--signal=", "--dry-run", "--debug", "--input=",
         "--output=", "--error=", "-u", "--unbuffered", "-l", "--label-io"),
        "FLUX_TASK_RANK", "FLUX_JOB_SIZE", each=("--tasks-per-node",), nodes=("-N", "--nodes"), words=("run",),
    ),
    "pals": StandIn(
        "mpiexec", "mpiexec version 1.3.4 (PALS)",
        ("-n=", "--np=", "-np=", "--ppn=", "--depth=", "--cpu-bind=", "--mem-bind=", "--hosts=", "--hostfile=", "--hostlist=", "--env=",
         "--genv=", "--envall", "--envnone", "--line-buffer", "--label", "--wdir=", "--umask=", "--exclusive", "--shared", "--procinfo",
         "--no-transfer", "--abort-on-failure", "--timeout=", "--rlimits=", "--gpu-bind=", "--pmi="),
        "PALS_RANKID", "PMI_SIZE",
    ),
    "prrte": StandIn(
        "mpirun", "mpirun (Open MPI) 5.0.7",
        ("-n=", "--n=", "--np=", "-np=", "-H=", "--host=", "--hostfile=", "--machinefile=", "--bind-to=", "--map-by=", "--rank-by=",
         "--display=", "--output=", "--prtemca=", "--pmixmca=", "--mca=", "-x=", "--wdir=", "--wd=", "--allow-run-as-root", "--timeout=",
         "--oversubscribe", "--tune=", "--stdin=", "--personality=", "--rankfile=", "--report-bindings"),
        "PMIX_RANK", "OMPI_COMM_WORLD_SIZE",
    ),
}  # fmt: skip


def write_stand_in(folder: pathlib.Path, name: str, python: str) -> pathlib.Path:
    """Its path; a folder to put on PATH."""
    made = STAND_INS[name]
    path = folder / made.program
    path.write_text(TEXT.format(python=python, **dataclasses.asdict(made)), encoding="utf-8")
    path.chmod(0o755)
    return path
