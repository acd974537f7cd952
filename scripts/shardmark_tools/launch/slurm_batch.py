# SPDX-License-Identifier: Apache-2.0
"""Writes a Slurm batch script that runs one suite. Called by scripts/run --sbatch."""

import argparse
import pathlib
import re
import shlex
import sys

TEMPLATE = """#!/bin/bash
# Written by scripts/run --sbatch. Submit it: sbatch {quoted_file}
#SBATCH --job-name=shardmark-{label}
#SBATCH --nodes={nodes}
#SBATCH --ntasks-per-node={ranks_per_node}
#SBATCH --time={time}
#SBATCH --output={escaped_out}/slurm-%j.out
{more}set -u
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
cd {quoted_out} || exit 2
{launch}
"${{launch[@]}}" {command}
"""
CHOICE = """\
# srun where it speaks PMIx with Open MPI, else Open MPI's own launcher.
if srun --mpi=list 2>&1 | grep -q pmix; then
  launch=(srun --mpi=pmix)
else
  launch=(mpirun -n {ranks})
fi"""


def minutes(text: str) -> str:
    if not re.fullmatch(r"\d+(-\d+)?(:\d+){0,2}", text):
        raise argparse.ArgumentTypeError(f"'{text}': expected Slurm's minutes, or [days-]hours:minutes:seconds")
    return text


def positive(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d*", text):
        raise argparse.ArgumentTypeError(f"'{text}': expected a number from 1")
    return int(text)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/run --sbatch", description=__doc__)
    parser.add_argument("--sbatch", required=True, type=one_line, metavar="FILE")
    parser.add_argument("--nodes", type=positive, required=True)
    parser.add_argument("--ranks-per-node", type=positive, required=True)
    parser.add_argument("--time", type=minutes, default="30")
    parser.add_argument("--account", type=one_line)
    parser.add_argument("--partition", type=one_line)
    parser.add_argument("--launcher", help="words quoted as for a shell; default: srun --mpi=pmix where there is "
                        "PMIx, else mpirun")  # fmt: skip
    parser.add_argument("--label", required=True)
    parser.add_argument("--out", type=one_line, required=True)
    parser.add_argument("command", nargs="+")
    return parser.parse_args()


def one_line(text: str) -> str:
    if any(ord(letter) < 0x20 or letter == "\x7f" for letter in text):
        raise argparse.ArgumentTypeError(f"{text!r}: a batch script cannot name what has a line break in it")
    return text


def escaped(value: str) -> str:
    """For an #SBATCH line, which Slurm splits as a shell would."""
    return re.sub(r"([^\w@+=:,./%-])", r"\\\1", value, flags=re.ASCII)


def batch_text(arguments: argparse.Namespace) -> str:
    ranks = arguments.nodes * arguments.ranks_per_node
    names = (("account", arguments.account), ("partition", arguments.partition))
    more = "".join(f"#SBATCH --{key}={escaped(value)}\n" for key, value in names if value)
    if arguments.launcher:
        words = shlex.split(arguments.launcher)
        words += [] if pathlib.Path(words[0]).name == "srun" else ["-n", str(ranks)]
        launch = f"launch=({shlex.join(words)})"
    else:
        launch = CHOICE.format(ranks=ranks)
    return TEMPLATE.format(
        quoted_file=shlex.quote(arguments.sbatch), label=re.sub(r"[^\w.-]", "-", arguments.label),
        nodes=arguments.nodes, ranks_per_node=arguments.ranks_per_node, time=arguments.time,
        escaped_out=escaped(arguments.out.replace("%", "%%")),
        quoted_out=shlex.quote(arguments.out), more=more, launch=launch, command=shlex.join(arguments.command),
    )  # fmt: skip


def main() -> int:
    arguments = parse()
    try:
        path = pathlib.Path(arguments.sbatch)
        path.write_text(batch_text(arguments), encoding="utf-8", errors="surrogateescape")
        path.chmod(0o755)
    except OSError as error:
        print(f"error: {arguments.sbatch}: {error.strerror}", file=sys.stderr)
        return 2
    print(f"{arguments.sbatch}: submit it by sbatch; results: {arguments.out}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
