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
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shardmark_tools.launch.launcher_kinds import KINDS, exit_code
from shardmark_tools.launch.launching import end_with_parent

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
    """A running command in a session of its own, under a launcher or alone; it ends with this process, however that
    dies. `environment` comes on top of this process's own."""

    def __init__(self, words: Sequence[object], directory: pathlib.Path | str | None = None,
                 environment: Mapping[str, str] | None = None):  # fmt: skip
        self.mark = uuid.uuid4().hex
        self.start = time.monotonic()
        self.words = [str(word) for word in words]
        self._outcome: Outcome | None = None
        whole = {**MPI_ENVIRONMENT, **os.environ, **(environment or {}), MARK: self.mark}
        self.process = subprocess.Popen(
            self.words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, errors="replace", cwd=directory, env=whole,
            preexec_fn=end_with_parent,
        )  # fmt: skip

    def ranks(self) -> dict[int, int]:
        """Process of each rank that runs the command now: {rank: pid}."""
        found = {}
        for pid, variables in self._members():
            rank = next((variables[name] for name in RANK_VARIABLES if name in variables), None)
            if rank is not None and _command_of(pid) == "shardmark" and not _is_watcher(pid):
                found[int(rank)] = pid
        return found

    def alive(self) -> list[int]:
        """Every process of this job that is left, the launcher included."""
        return [pid for pid, _ in self._members()]

    def _members(self) -> Iterator[tuple[int, dict[str, str]]]:
        return processes_with(MARK, self.mark)

    def wait(self, limit_s: float) -> Outcome:
        """The outcome; a job that takes longer than limit_s from here is killed with all its processes. Asked again,
        the same."""
        if self._outcome is None:
            try:
                out, err = self.process.communicate(timeout=limit_s)
                code = exit_code(self.words, self.process.returncode, err)
            except subprocess.TimeoutExpired:
                self.end()
                out, err = self.process.communicate()
                code = None
            self._outcome = Outcome(code, out, err, time.monotonic() - self.start)
        return self._outcome

    def end(self) -> None:
        end_processes_with(MARK, self.mark)

    def left_after(self, limit_s: float) -> list[int]:
        """Processes that are still there limit_s after the launcher ended."""
        deadline = time.monotonic() + limit_s
        while self.alive() and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.alive()


def processes_with(variable: str, value: str) -> Iterator[tuple[int, dict[str, str]]]:
    """(pid, its environment) of every process that was started with this variable and lives."""
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            text = (path / "environ").read_bytes().decode(errors="replace")
            state = (path / "stat").read_text().rpartition(")")[2].split()[0]
        except (OSError, IndexError):
            continue
        if f"{variable}={value}" in text and state not in "ZX":
            yield int(path.name), dict(v.partition("=")[::2] for v in text.split("\0"))


def end_processes_with(variable: str, value: str) -> None:
    for pid, _ in processes_with(variable, value):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def _command_of(pid: int) -> str:
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        return ""


def _is_watcher(pid: int) -> bool:
    """Of late ranks: a child of a rank, with its environment and program."""
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "shardmark-watch"
    except OSError:
        return False


def run(words: Sequence[object], limit_s: float, directory: pathlib.Path | str | None = None,
        environment: Mapping[str, str] | None = None) -> Outcome:  # fmt: skip
    """The outcome; the command is ended too where this process is interrupted."""
    job = Job(words, directory, environment)
    try:
        return job.wait(limit_s)
    except BaseException:
        job.end()
        raise


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
