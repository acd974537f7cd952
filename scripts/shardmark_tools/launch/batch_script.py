# SPDX-License-Identifier: Apache-2.0
"""Writes a batch script for Slurm, PBS or Flux that runs one suite. Called by scripts/run --batch.

What the manager reads (directives) is quoted as that manager splits it; paths stand in what the shell reads
alone, so that any path will do: output goes to the result folder from inside the script.
"""

import argparse
import dataclasses
import os
import pathlib
import re
import shlex
import sys
from collections.abc import Callable

if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.launch import launcher_kinds  # noqa: E402
from shardmark_tools.refusal import Refused  # noqa: E402

TEMPLATE = """#!/bin/bash
{directives}
# Written by scripts/run --batch {kind}. Submit it: {submit} {file}
set -u
cd {out} || exit 2
exec >"{log}" 2>&1
{exports}{launch}
"${{launch[@]}}" {command}
"""
PLAIN = re.compile(r"[\w.@+-]+", re.ASCII)
TIME = re.compile(r"(?:(?P<days>\d+)-)?(?P<numbers>\d+(?::\d+){0,2})")

LAUNCH = {
    "slurm": """\
# srun where it speaks PMIx with Open MPI, else Open MPI's own launcher.
if srun --mpi=list 2>&1 | grep -q pmix; then
  launch=(srun --mpi=pmix)
else
  launch=(mpirun -n {ranks})
fi""",
    "pbs": """\
# PALS unless mpiexec is another's; the others are told the nodes.
case $(mpiexec --version 2>&1) in
  *"Open MPI"* | *PRRTE*) launch=(mpiexec --hostfile "$PBS_NODEFILE" -n {ranks}) ;;
  *HYDRA* | *"Intel(R) MPI"*) launch=(mpiexec -f "$PBS_NODEFILE" -ppn {ranks_per_node} -n {ranks}) ;;
  *) launch=(mpiexec -n {ranks} --ppn {ranks_per_node}) ;;
esac""",
    "flux": "launch=(flux run --nodes={nodes} --tasks-per-node={ranks_per_node})",
}


@dataclasses.dataclass(frozen=True)
class Manager:
    submit: str
    log: str  # the shell's words for the name of the output
    directives: Callable[[argparse.Namespace], list[str]]


def seconds_of(text: str) -> int:
    """Of Slurm's forms: minutes, m:s, h:m:s, days-h, days-h:m, days-h:m:s."""
    match = TIME.fullmatch(text)
    if not match:
        raise argparse.ArgumentTypeError(f"'{text}': expected minutes, or [days-]hours:minutes:seconds")
    numbers = [int(word) for word in match["numbers"].split(":")]
    if match["days"] is not None:
        hours, minutes, seconds = (*numbers, 0, 0)[:3]
        return int(match["days"]) * 86400 + hours * 3600 + minutes * 60 + seconds
    hours, minutes, seconds = ((0, numbers[0], 0), (0, *numbers), tuple(numbers))[len(numbers) - 1]
    return hours * 3600 + minutes * 60 + seconds


def time_limit(text: str) -> str:
    if seconds_of(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}': expected more than no time")
    return text


def positive(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,8}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"'{text}': expected a number from 1")
    return int(text)


def one_line(text: str) -> str:
    if any(ord(letter) < 0x20 or letter == "\x7f" for letter in text):
        raise argparse.ArgumentTypeError(f"{text!r}: a batch script cannot name what has a line break in it")
    return text


def escaped(value: str) -> str:
    """For an #SBATCH line, which Slurm splits as a shell would."""
    return re.sub(r"([^\w@+=:,./%-])", r"\\\1", value, flags=re.ASCII)


def plain(value: str, manager: str) -> str:
    """PBS quotes nothing in its directives that every version reads alike."""
    if not PLAIN.fullmatch(value):
        raise Refused(f"'{value}': a directive of {manager} takes letters, digits and . _ @ + - only")
    return value


def named(arguments: argparse.Namespace, options: dict[str, str]) -> list[tuple[str, str]]:
    """(option, value) of those of account and queue that are given."""
    return [(option, getattr(arguments, key)) for key, option in options.items() if getattr(arguments, key)]


def of_slurm(arguments: argparse.Namespace) -> list[str]:
    lines = [f"--job-name={job_name(arguments)}", f"--nodes={arguments.nodes}",
             f"--ntasks-per-node={arguments.ranks_per_node}", f"--time={arguments.time}", "--output=/dev/null"]  # fmt: skip
    lines += [f"{option}={escaped(value)}" for option, value in
              named(arguments, {"account": "--account", "partition": "--partition"})]  # fmt: skip
    return [f"#SBATCH {line}" for line in lines]


def of_pbs(arguments: argparse.Namespace) -> list[str]:
    limit, each = seconds_of(arguments.time), arguments.ranks_per_node
    walltime = f"{limit // 3600:02d}:{limit // 60 % 60:02d}:{limit % 60:02d}"
    lines = [f"-N {job_name(arguments)[:15]}", f"-l select={arguments.nodes}:ncpus={each}:mpiprocs={each}",
             "-l place=scatter", f"-l walltime={walltime}", "-j oe"]  # fmt: skip
    lines += [f"{option} {plain(value, 'PBS')}" for option, value in named(arguments, {"account": "-A", "partition": "-q"})]
    return [f"#PBS {line}" for line in lines]


def of_flux(arguments: argparse.Namespace) -> list[str]:
    slots = arguments.nodes * arguments.ranks_per_node
    lines = [f"--job-name={job_name(arguments)}", f"--nodes={arguments.nodes}", f"--nslots={slots}",
             f"--time-limit={seconds_of(arguments.time)}s", "--output=/dev/null"]  # fmt: skip
    lines += [shlex.quote(option + value) for option, value in
              named(arguments, {"account": "--setattr=bank=", "partition": "--queue="})]  # fmt: skip
    return [f"# flux: {line}" for line in lines]


MANAGERS = {
    "slurm": Manager("sbatch", "slurm-$SLURM_JOB_ID.out", of_slurm),
    "pbs": Manager("qsub", "pbs-${PBS_JOBID%%.*}.out", of_pbs),
    "flux": Manager("flux batch", "flux-${FLUX_JOB_ID:-job}.out", of_flux),
}


def job_name(arguments: argparse.Namespace) -> str:
    return "shardmark-" + re.sub(r"[^\w.-]", "-", arguments.label, flags=re.ASCII)


def launch_text(arguments: argparse.Namespace) -> str:
    counts = {"nodes": arguments.nodes, "ranks_per_node": arguments.ranks_per_node,
              "ranks": arguments.nodes * arguments.ranks_per_node}  # fmt: skip
    if not arguments.launcher:
        return LAUNCH[arguments.batch].format(**counts)
    kind, words = launcher_kinds.named_or_detected(arguments.launcher)
    world = launcher_kinds.World(arguments.nodes, arguments.ranks_per_node)
    return f"launch=({shlex.join([*words, *kind.placed(world)])})"


def batch_text(arguments: argparse.Namespace) -> str:
    manager = MANAGERS[arguments.batch]
    exports = "".join(f"export {name}={value}\n" for name, value in launcher_kinds.AS_ROOT.items())
    return TEMPLATE.format(
        directives="\n".join(manager.directives(arguments)), kind=arguments.batch, submit=manager.submit,
        file=shlex.quote(arguments.job), out=shlex.quote(arguments.out), log=manager.log, exports=exports,
        launch=launch_text(arguments), command=shlex.join(arguments.command),
    )  # fmt: skip


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/run --batch", description=__doc__)
    parser.add_argument("--batch", required=True, choices=MANAGERS)
    parser.add_argument("--job", required=True, type=one_line, metavar="FILE")
    parser.add_argument("--nodes", type=positive, required=True)
    parser.add_argument("--ranks-per-node", type=positive, required=True)
    parser.add_argument("--time", type=time_limit, default="30")
    parser.add_argument("--account", type=one_line)
    parser.add_argument("--partition", type=one_line, help="or queue")
    parser.add_argument("--launcher", type=one_line, help="words quoted as for a shell; default: the manager's own")
    parser.add_argument("--label", required=True)
    parser.add_argument("--out", type=one_line, required=True)
    parser.add_argument("command", nargs="+")
    return parser.parse_args()


def main() -> int:
    arguments = parse()
    try:
        path = pathlib.Path(arguments.job)
        path.write_bytes(os.fsencode(batch_text(arguments)))
        path.chmod(0o755)
    except Refused as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {arguments.job}: {error.strerror}", file=sys.stderr)
        return 2
    submit = MANAGERS[arguments.batch].submit
    print(f"{arguments.job}: submit it by {submit}; results: {arguments.out}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
