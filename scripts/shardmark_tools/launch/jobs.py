# SPDX-License-Identifier: Apache-2.0
"""Starts the command under a launcher, finds the processes of its ranks, signals them, and ends what does not end."""

import dataclasses
import functools
import hashlib
import os
import pathlib
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from shardmark_tools.launch.launcher_kinds import KINDS

# Of every launcher: a job may be started by any, with more ranks than cores.
MPI_ENVIRONMENT = {name: value for kind in KINDS for name, value in {**kind.environment, **kind.crowded}.items()}
RANK_VARIABLES = tuple(dict.fromkeys(kind.rank for kind in KINDS))
# The rank, for a shell that the launcher starts.
SHELL_RANK = functools.reduce(lambda rest, name: f"${{{name}-{rest}}}", reversed(RANK_VARIABLES), "")
# Every process of a job inherits it, so that /proc shows whose it is.
MARK = "SHARDMARK_TEST_JOB"


@dataclasses.dataclass
class Outcome:
    """How a job ended; code is None if it had to be ended."""

    code: int | None
    out: str
    err: str
    elapsed_s: float

    def messages(self) -> list[str]:
        return [line for line in self.err.splitlines() if line.startswith("shardmark: error:")]

    def __str__(self) -> str:
        code = "it did not end" if self.code is None else f"exit code {self.code}"
        return f"{code} after {self.elapsed_s:.1f} s\n{self.err}{self.out}"


class Job:
    """A running command in a session of its own, under a launcher or alone."""

    def __init__(self, words: Sequence[object], directory: pathlib.Path | str | None = None):
        self.mark = uuid.uuid4().hex
        self.start = time.monotonic()
        environment = {**MPI_ENVIRONMENT, **os.environ, MARK: self.mark}
        self.process = subprocess.Popen(
            [str(word) for word in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, errors="replace", cwd=directory, env=environment,
            start_new_session=True,
        )  # fmt: skip

    def ranks(self) -> dict[int, int]:
        """Process of each rank that runs the command now: {rank: pid}."""
        found = {}
        for pid, variables in self._members():
            rank = next((variables[name] for name in RANK_VARIABLES if name in variables), None)
            if rank is not None and _command_of(pid) == "shardmark":
                found[int(rank)] = pid
        return found

    def alive(self) -> list[int]:
        """Every process of this job that is left, the launcher included."""
        return [pid for pid, _ in self._members()]

    def _members(self) -> Iterator[tuple[int, dict[str, str]]]:
        for path in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                text = (path / "environ").read_bytes().decode(errors="replace")
                state = (path / "stat").read_text().rpartition(")")[2].split()[0]
            except (OSError, IndexError):
                continue
            if f"{MARK}={self.mark}" in text and state not in "ZX":
                yield int(path.name), dict(v.partition("=")[::2] for v in text.split("\0"))

    def wait(self, limit_s: float) -> Outcome:
        """The outcome; a job that takes longer than limit_s from here is killed with all its processes."""
        try:
            out, err = self.process.communicate(timeout=limit_s)
            return Outcome(self.process.returncode, out, err, time.monotonic() - self.start)
        except subprocess.TimeoutExpired:
            pass
        self.end()
        out, err = self.process.communicate()
        return Outcome(None, out, err, time.monotonic() - self.start)

    def end(self) -> None:
        for pid in self.alive():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def left_after(self, limit_s: float) -> list[int]:
        """Processes that are still there limit_s after the launcher ended."""
        deadline = time.monotonic() + limit_s
        while self.alive() and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.alive()


def _command_of(pid: int) -> str:
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        return ""


def run(words: Sequence[object], limit_s: float, directory: pathlib.Path | str | None = None) -> Outcome:
    return Job(words, directory).wait(limit_s)


def fingerprint(directory: pathlib.Path | str) -> dict[str, Any]:
    """Every path below a directory with its kind, size, time of change and contents."""
    found = {}
    for root, folders, files in os.walk(directory):
        for name in folders + files:
            path = pathlib.Path(root, name)
            status = path.lstat()
            digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            found[str(path.relative_to(directory))] = (status.st_mode, digest, path.is_file() and status.st_mtime_ns)
    return found


def differences(before: dict[str, Any], after: dict[str, Any]) -> str:
    """What is new, gone or changed, for a message."""
    words = [f"new {name}" for name in sorted(after.keys() - before.keys())]
    words += [f"gone {name}" for name in sorted(before.keys() - after.keys())]
    words += [f"changed {name}" for name in sorted(before.keys() & after.keys()) if before[name] != after[name]]
    return ", ".join(words)
