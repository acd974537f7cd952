# SPDX-License-Identifier: Apache-2.0
"""What `shardmark run` and an adapter say to each other, a JSON document a line: the request; "ready", once everything
that is not the operation is done; "go"; "done", at its end; then "report". Instead of any answer: "failed" with the
reason. The clock of the benchmark runs from "go" to "done", the adapter's own figure comes with the report.

An adapter is a module of this room with ENGINES. It may import torch and the like in functions only: modules are listed
by an interpreter that may not have them."""

import json
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

from shardmark_tools.refusal import Refused


@dataclass(frozen=True)
class Part:
    """What this rank stores of one tensor; an object is one of uint8."""

    fqn: str
    dtype: str
    shape: list[int]
    offsets: list[int]
    sizes: list[int]


@dataclass(frozen=True)
class Request:
    operation: str  # save, load
    rank: int
    ranks: int
    nodes: int
    program: str  # of the engine, as the listing found it
    directory: str  # exists; what is saved goes into it, what is loaded was saved there by the same engine
    num_bytes: int  # of this rank
    meeting: str  # a path that all ranks of this operation, and no others, share
    piece_bytes: int  # at most, as the raw ceilings of the same run move theirs; for who moves whole pieces
    threads: int
    parts: list[Part] = field(default_factory=list)

    @property
    def saves(self) -> bool:
        return self.operation == "save"


@dataclass
class Report:
    """What one rank tells of one operation."""

    own_s: float  # the program's own figure
    num_bytes: int  # moved, by its own count
    files: list[str]  # that this rank has written or read
    synced: bool | None = None  # of a save: whether all of it was synced, as far as the program tells
    returned_s: float | None = None  # of a save in the background: when the caller could go on
    verified: bool | None = None  # whether what was loaded was compared
    peak_memory_bytes: int | None = None
    piece_bytes: int | None = None  # of who moves whole pieces
    threads: int | None = None


class Player(Protocol):
    """One operation of one rank."""

    def prepare(self) -> list[str]:
        """Everything before the operation, other ranks' processes included. The files that a load will read."""

    def operate(self) -> None:
        """The operation, until it is durable."""

    def report(self) -> Report:
        """What it did; contents are compared here."""


@dataclass(frozen=True)
class Engine:
    name: str  # of the row
    about: str
    make: Callable[[Request], Player]
    key: str = ""  # peers.<key> names its program; empty: its name
    program: str = ""  # looked for on PATH
    modules: tuple[str, ...] = ()  # instead of a program: what a Python must have
    operations: tuple[str, ...] = ("save", "load")
    o_direct: bool = False  # past the page cache: memory for what is cached need not be ready


def memory_kib(key: str) -> int:
    with open("/proc/self/status", encoding="ascii") as status:
        return next((int(line.split()[1]) for line in status if line.startswith(key + ":")), 0)


class Memory:
    """The most that this process has in use above what it had, and the most of any program it started."""

    def __init__(self) -> None:
        try:
            with open("/proc/self/clear_refs", "w", encoding="ascii") as refs:
                refs.write("5")
        except OSError:
            pass  # then the peak may be one of before
        self.before = memory_kib("VmRSS")

    def peak_bytes(self) -> int:
        own = max(0, memory_kib("VmHWM") - self.before)
        return (own + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) * 1024


class Conversation:
    """Standard input and output; whatever else prints there goes to standard error."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        self._go = threading.Event()

    def request(self) -> Request:
        said = json.loads(sys.stdin.readline())
        parts = [Part(*each) for each in said.pop("parts")]
        threading.Thread(target=self._listen, daemon=True).start()
        return Request(**said, parts=parts)

    def say(self, state: str, **more: Any) -> None:
        self._out.write(json.dumps({"state": state, **more}) + "\n")
        self._out.flush()

    def wait_for_go(self) -> None:
        self._go.wait()

    def _listen(self) -> None:
        for line in sys.stdin:
            if json.loads(line).get("state") == "go":
                self._go.set()
        end_with_children()  # whoever asked is gone


def end_with_children() -> NoReturn:
    """The command made this process the first of a group, and all that it starts belong to it."""
    if os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def play(engine: Engine) -> NoReturn:
    """The whole conversation. Ends the process without the libraries' own endings, which may wait for other ranks."""
    conversation = Conversation()
    try:
        player = engine.make(conversation.request())
        conversation.say("ready", files=player.prepare())
        conversation.wait_for_go()
        memory = Memory()
        player.operate()
        conversation.say("done")
        report = player.report()
        if report.peak_memory_bytes is None:
            report.peak_memory_bytes = memory.peak_bytes()
        conversation.say("report", **vars(report))
    except Refused as refused:
        conversation.say("failed", reason=str(refused))
    except Exception as error:  # whatever a foreign library throws is a reason, and the row has no number
        conversation.say("failed", reason=f"{type(error).__name__}: {error}".split("\n", maxsplit=1)[0])
    sys.stderr.flush()
    os._exit(0)
