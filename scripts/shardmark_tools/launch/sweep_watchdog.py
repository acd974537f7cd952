# SPDX-License-Identifier: Apache-2.0
"""Runs one case under a time limit. A case that does not end is asked where its ranks are, then ended.

`shardmark run` answers SIGUSR1, which launchers hand on to every rank, with one line a rank.
"""

import dataclasses
import os
import pathlib
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence

ANSWER_S = 3.0
GRACE_S = 5.0
POLL_S = 0.05
ANSWER = re.compile(r"shardmark: rank (\d+) of \d+ on (\S+): (\S+) for ([\d.]+) s, in (.*)")


@dataclasses.dataclass
class Outcome:
    exit_code: int | None  # None: ended by the watchdog
    duration_s: float
    stuck: str | None = None  # who was where


@dataclasses.dataclass
class Answer:
    rank: int
    host: str
    phase: str
    seconds: float
    where: str


def parse_answers(text: str) -> dict[int, Answer]:
    """{rank: its last answer}. Before MPI has started a rank does not know how many there are."""
    answers = {}
    for match in ANSWER.finditer(text):
        rank = int(match[1])
        answers[rank] = Answer(rank, match[2], match[3], float(match[4]), match[5].strip())
    return answers


def silent_text(rank: int, late: dict[int, Answer]) -> str:
    """A stopped process answers when its end wakes it up."""
    if rank in late:
        return f"{rank} on {late[rank].host} in phase {late[rank].phase}"
    return str(rank)


def describe(answers: dict[int, Answer], ranks: int, late: dict[int, Answer]) -> str:
    """Names the ranks that hold up the others: those that did not answer, else those in no wait.
    `late`: answers that came only when the case was ended."""
    if not answers:
        return "no rank answered: all are stopped or hang inside the system"
    silent = [rank for rank in range(ranks) if rank not in answers]
    by_phase: dict[str, list[Answer]] = {}
    for answer in answers.values():
        by_phase.setdefault(answer.phase, []).append(answer)
    listed = "; ".join(
        f"{'rank' if len(of) == 1 else 'ranks'} {', '.join(str(a.rank) for a in of)} in {phase} "
        f"for {max(a.seconds for a in of):.1f} s"
        for phase, of in sorted(by_phase.items())
    )
    where = next(iter(answers.values())).where
    if silent:
        names = ", ".join(silent_text(rank, late) for rank in silent)
        return f"stuck: rank {names} (no answer in time: stopped, or inside the system), in {where}; {listed}"
    workers = [a for a in answers.values() if a.phase != "wait"] or list(answers.values())
    rarest = min((a.phase for a in workers), key=lambda phase: len(by_phase[phase]))
    names = ", ".join(f"{a.rank} on {a.host}" for a in workers if a.phase == rarest)
    return f"stuck: rank {names} in phase {rarest}, in {where}; {listed}"


def ask(process: subprocess.Popen[bytes], output: pathlib.Path, ranks: int) -> dict[int, Answer]:
    """What the ranks say about where they are."""
    before = output.stat().st_size
    try:
        process.send_signal(signal.SIGUSR1)
    except ProcessLookupError:
        return {}
    deadline = time.monotonic() + ANSWER_S
    answers = {}
    while time.monotonic() < deadline:
        time.sleep(POLL_S)
        with open(output, encoding="utf-8", errors="replace") as file:
            file.seek(before)
            answers = parse_answers(file.read())
        if len(answers) == ranks:
            break
    return answers


def end(process: subprocess.Popen[bytes]) -> None:
    """The launcher ends its ranks; what is left of its session is killed."""
    for number, patience in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, GRACE_S)):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            pass
        try:
            process.wait(patience)
            if number == signal.SIGTERM:
                continue  # and SIGKILL for those who do not listen, stopped ones included
        except subprocess.TimeoutExpired:
            continue


def end_strays(marker: str) -> None:
    """Kills this machine's processes that have `marker` on their command line: ranks that a launcher
    started in sessions of their own and could not end."""
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            with open(f"/proc/{entry.name}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if marker.encode() in words and b"run" in words:
            try:
                os.kill(int(entry.name), signal.SIGKILL)
            except OSError:
                pass


def run_limited(command: Sequence[str], folder: pathlib.Path, environment: Mapping[str, str], limit_s: float,
                prepare: Callable[[], None], marker: str, ranks: int) -> Outcome:  # fmt: skip
    """`prepare` runs in the child; `marker` is a word that only this case's command lines have."""
    output = folder / "output.txt"
    begin = time.monotonic()
    with open(output, "w", encoding="utf-8") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                   cwd=folder, env=environment, preexec_fn=prepare)  # fmt: skip
    try:
        code = process.wait(limit_s)
        return Outcome(code, time.monotonic() - begin)
    except subprocess.TimeoutExpired:
        answers = ask(process, output, ranks)
        end(process)
        end_strays(marker)
        late = parse_answers(output.read_text(encoding="utf-8", errors="replace"))
        return Outcome(None, time.monotonic() - begin, describe(answers, ranks, late))
    except BaseException:
        end(process)
        end_strays(marker)
        raise
