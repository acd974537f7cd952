# SPDX-License-Identifier: Apache-2.0
"""Which attacks are made, in which order: all of it follows from a seed, so that what was interrupted can be gone on
with, and one attack made again."""

import dataclasses
import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from shardmark_tools.refusal import Refused
from shardmark_tools.torture.score import KINDS, Score, Verdict
from shardmark_tools.torture.site import FORMS, Form, Site

# Attacks of a kind over all layouts and back ends. Quick: every way to damage in each of them, and a part of the rest.
FULL = {"damages": 2016, "kills": 100, "faults": 200, "power-loss": 5000}
QUICK = {"damages": 144, "kills": 6, "faults": 18, "power-loss": 180}
# Seconds an attack takes, and a layout's good saves, on two cores and a local disk: for what is said beforehand.
COST_S = {"damages": 0.15, "kills": 3.5, "faults": 1.2, "power-loss": 0.1}
SAVES_S = 2.0
# Past it a quick run makes no attack that it has not begun.
QUICK_LIMIT_S = 100.0


class Trial(Protocol):
    """A kind of attack. `number` counts those of its layout; all else that is random is `chance`'s. None: it hit nothing."""

    name: str

    def attack(self, form: Form, number: int, chance: random.Random) -> Verdict | None:
        """Makes one, and judges it."""


@dataclasses.dataclass(frozen=True)
class Planned:
    """The `number`-th attack of a kind on a layout; `place` counts all that are planned."""

    place: int
    kind: str
    layout: str
    number: int


def counts(quick: bool, kinds: Sequence[str], asked: str | None) -> dict[str, int]:
    """`asked`: "500" for each of `kinds`, or "damages=1000,kills=20". Errors: Refused."""
    found = {kind: (QUICK if quick else FULL)[kind] for kind in kinds}
    for word in asked.split(",") if asked else []:
        kind, equals, number = word.strip().rpartition("=")
        if not number.isascii() or not number.isdigit() or len(number) > 9 or (equals and kind not in found):
            raise Refused(f"--count {asked}: expected a number, or KIND=NUMBER of {', '.join(found)} with commas between")
        found.update({kind: int(number)} if equals else dict.fromkeys(found, int(number)))
    return found


def kinds_of(text: str | None) -> list[str]:
    """Errors: Refused, naming what there is."""
    names = [word.strip() for word in text.split(",")] if text else list(KINDS)
    for name in names:
        if name not in KINDS:
            raise Refused(f"--kinds: no kind '{name}', expected some of {','.join(KINDS)}")
    return [kind for kind in KINDS if kind in names]


def planned(wanted: Mapping[str, int]) -> Iterator[Planned]:
    """Kinds in turn by how far each has come, so that what is interrupted has seen a part of all; layouts in turn."""
    most = max(wanted.values(), default=0)
    done = dict.fromkeys(wanted, 0)
    place = 0
    for turn in range(1, most + 1):
        for kind, count in wanted.items():
            while done[kind] < turn * count // most:
                number, form = divmod(done[kind], len(FORMS))
                yield Planned(place, kind, FORMS[form][0], number)
                done[kind] += 1
                place += 1


def seconds(wanted: Mapping[str, int]) -> float:
    return len(FORMS) * SAVES_S + sum(COST_S[kind] * count for kind, count in wanted.items())


class Progress:
    """One line on a terminal that is written over; nothing where stderr is none."""

    def __init__(self, total: int):
        self.total = total
        self.shows = sys.stderr.isatty()
        self.last_s = 0.0

    def at(self, attack: Planned, score: Score) -> None:
        if self.shows and time.monotonic() - self.last_s > 0.2:
            self.last_s = time.monotonic()
            line = f"{attack.place + 1} of {self.total}: {attack.kind}, {attack.layout}; {score.num_bad} broke a promise"
            print(f"\r{line[:100]:<100}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self.shows and self.last_s:
            print(f"\r{'':<100}\r", end="", file=sys.stderr, flush=True)


@dataclasses.dataclass
class Session:
    """How far it came: `place` is the next attack; `stopped`: why before the end."""

    place: int = 0
    stopped: str | None = None


def make_attacks(site: Site, trials: Mapping[str, Trial], wanted: Mapping[str, int], seed: int, begin: int, score: Score,
                 session: Session, limit_s: float | None) -> None:  # fmt: skip
    """From the attack `begin` on. `score` and `session` are true at every moment, whatever ends it."""
    forms = {form.name: form for form in site.forms}
    progress = Progress(sum(wanted.values()))
    started = time.monotonic()
    try:
        for attack in planned(wanted):
            if attack.place < begin or attack.kind not in trials:
                continue
            session.place = attack.place
            if limit_s is not None and time.monotonic() - started > limit_s:
                session.stopped = f"after {limit_s:.0f} s"
                break
            progress.at(attack, score)
            chance = random.Random(f"{seed} {attack.kind} {attack.layout} {attack.number}")
            verdict = trials[attack.kind].attack(forms[attack.layout], attack.number, chance)
            score.add(attack.kind, attack.layout, verdict)
            session.place = attack.place + 1
    finally:
        progress.end()
