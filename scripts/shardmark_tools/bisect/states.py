# SPDX-License-Identifier: Apache-2.0
"""What lies between the good end and the bad one: commits, or settings, variables, MCA parameters and modules that
are changed one after another, in the order given."""

import dataclasses
import pathlib
import subprocess
from collections.abc import Sequence

from shardmark_tools.bisect.module_environment import with_modules
from shardmark_tools.refusal import Refused

COMMIT = "commit"


class BadEnds(Refused):
    """The message names the option and what was expected."""


@dataclasses.dataclass(frozen=True)
class State:
    """One point between the ends: how its runs differ from those of the suite as it is."""

    name: str  # of its folder
    step: str  # what changed from the state before
    settings: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()  # NAME=VALUE
    commit: str | None = None


def git(repository: pathlib.Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(repository), *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BadEnds(f"git {words[0]} in {repository}: {done.stderr.strip() or f'exit code {done.returncode}'}")
    return done.stdout


def commits(repository: pathlib.Path, good: str, bad: str) -> list[State]:
    """First parents from `good` to `bad`."""
    ends = [git(repository, "rev-parse", "--verify", "--end-of-options", f"{end}^{{commit}}").strip() for end in (good, bad)]
    lines = git(repository, "log", "--first-parent", "--reverse", "--format=%H %s", f"{ends[0]}..{ends[1]}").splitlines()
    made = [(ends[0], ""), *((line.partition(" ")[0], line.partition(" ")[2]) for line in lines)]
    before = git(repository, "rev-parse", f"{made[1][0]}^").strip() if lines else None
    if before != ends[0]:
        raise BadEnds(f"--good {good} is not among the first parents of --bad {bad}")
    return [State(commit, f"commit {commit[:12]} ({subject})", commit=commit) for commit, subject in made]


def keyed(words: Sequence[str], separator: str, option: str) -> dict[str, str]:
    """{key: word}, in order."""
    found: dict[str, str] = {}
    for word in words:
        key, mark, _ = word.partition(separator)
        if (not mark and separator == "=") or not key:
            raise BadEnds(f"{option} '{word}': expected NAME{separator}VALUE")
        if key.strip() in found:
            raise BadEnds(f"{option} '{word}': '{key.strip()}' is there twice")
        found[key.strip()] = word
    return found


def switched(good: dict[str, str], bad: dict[str, str]) -> list[tuple[list[str], str]]:
    """(words, what changed) of each state: keys become what they are in `bad` one after another."""
    now = dict(good)
    made = [(list(now.values()), "")]
    for key in [*bad, *(key for key in good if key not in bad)]:
        before, after = now.get(key), bad.get(key)
        if before == after:
            continue
        if after is None:
            del now[key]
        else:
            now[key] = after
        made.append((list(now.values()), f"{before or f'{key} as it was'} became {after or f'{key} as it is without it'}"))
    return made


def switches(kind: str, good: Sequence[str], bad: Sequence[str]) -> list[State]:
    separator = "/" if kind == "module" else "="
    points = switched(keyed(good, separator, "--good"), keyed(bad, separator, "--bad"))
    made = []
    for number, (words, step) in enumerate(points):
        environment = {"env": words, "mca": [f"OMPI_MCA_{word}" for word in words]}.get(kind, [])
        if kind == "module":
            environment = list(with_modules(words))
        made.append(State(f"{number:03d}", step, tuple(words if kind == "set" else ()), tuple(environment)))
    return made


def states_between(kind: str, good: Sequence[str], bad: Sequence[str], repository: pathlib.Path) -> list[State]:
    """At least two, the good end first. Errors: BadEnds."""
    if kind == COMMIT:
        if len(good) != 1 or len(bad) != 1:
            raise BadEnds(f"--by commit: expected one --good and one --bad, found {len(good)} and {len(bad)}")
        made = commits(repository, good[0], bad[0])
    else:
        made = switches(kind, good, bad)
    if len(made) < 2:
        raise BadEnds("--good and --bad are the same: there is nothing between them")
    return made
