# SPDX-License-Identifier: Apache-2.0
"""What became of every attack: counts by kind and layout, as people and as programs read them."""

import collections
import dataclasses
import json
from collections.abc import Iterator
from typing import Any

from shardmark_tools.results.plain_text import aligned_table, message_text, one_line

KINDS = ("damages", "kills", "faults", "power-loss")
# What an attack may end with; the second line breaks a promise.
GOOD = ("found", "harmless")
BAD = ("silent", "crashed", "hung", "lost")
MOST_TOLD = 100


@dataclasses.dataclass(frozen=True)
class Verdict:
    """`ending`: one of GOOD or BAD. `attack`: what was done, in a word or two that many attacks share. `told`: what was
    seen, of a bad one."""

    ending: str
    attack: str
    told: str = ""


@dataclasses.dataclass
class Row:
    endings: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    attacks: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    hit_nothing: int = 0


class Score:
    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Row] = {}
        self.failures: list[dict[str, str]] = []
        self.num_bad = 0
        self.not_tried: dict[str, str] = {}  # kind: why
        self.launcher_failed: list[str] = []

    def add(self, kind: str, layout: str, verdict: Verdict | None) -> None:
        """None: the attack hit nothing, and shows nothing."""
        row = self.rows.setdefault((kind, layout), Row())
        if verdict is None:
            row.hit_nothing += 1
            return
        row.endings[verdict.ending] += 1
        row.attacks[verdict.attack] += 1
        if verdict.ending in BAD:
            self.num_bad += 1
            if len(self.failures) < MOST_TOLD:
                self.failures.append({"kind": kind, "layout": layout, "ending": verdict.ending, "attack": verdict.attack,
                                      "told": verdict.told})  # fmt: skip

    def tried(self) -> int:
        return sum(row.endings.total() for row in self.rows.values())

    def kinds(self) -> Iterator[dict[str, Any]]:
        """One for each kind and layout, in the order of KINDS."""
        for kind, layout in sorted(self.rows, key=lambda key: KINDS.index(key[0])):
            row = self.rows[kind, layout]
            yield {"kind": kind, "layout": layout, "tried": row.endings.total(),
                   **{ending: row.endings[ending] for ending in GOOD + BAD},
                   "hit_nothing": row.hit_nothing, "attacks": dict(sorted(row.attacks.items()))}  # fmt: skip


def document(score: Score, facts: dict[str, Any]) -> str:
    made = {"kinds": list(score.kinds()),
            "not_tried": [{"kind": kind, "reason": reason} for kind, reason in score.not_tried.items()],
            "failures": score.failures, "launcher_failed": len(score.launcher_failed), **facts}  # fmt: skip
    return json.dumps(made, indent=2) + "\n"


def text(score: Score) -> str:
    """A table, and a paragraph for each attack that broke a promise."""
    columns = ("kind", "layout", "tried", *GOOD, *BAD)
    lines = aligned_table(columns, [[str(row[column]) for column in columns] for row in score.kinds()])
    lines += [f"not tried: {kind}: {reason}" for kind, reason in score.not_tried.items()]
    lines += [f"counted apart: {told}" for told in score.launcher_failed]
    for failure in score.failures:
        lines += ["", f"{failure['ending']}: {failure['kind']}, {failure['layout']}: {one_line(failure['attack'])}",
                  message_text(failure["told"])]  # fmt: skip
    missed = sum(row.hit_nothing for row in score.rows.values())
    apart = f"; {missed} hit nothing and are not counted" if missed else ""
    lines += ["", f"{score.tried()} attacks, {score.num_bad} broke a promise{apart}"]
    return "\n".join(lines) + "\n"
