# SPDX-License-Identifier: Apache-2.0
"""One change of one series, as it is told."""

import dataclasses

SLOWER, FASTER = "slower", "faster"


@dataclasses.dataclass
class Change:
    id: str
    benchmark: str
    phase: str | None
    family: str
    date: str
    before_s: float
    after_s: float
    low: float  # of after over before, 95 %
    high: float
    drift: bool
    context: dict[str, list[str | None]]
    moved: str | None = None  # "machine", "software", or None: not known
    evidence: str = ""

    @property
    def verdict(self) -> str:
        return SLOWER if self.after_s > self.before_s else FASTER

    @property
    def ratio(self) -> float:
        return self.after_s / self.before_s

    def moved_phases(self, changes: list["Change"]) -> list[str]:
        """Of the same benchmark at the same time and in the same direction: what took most seconds first."""
        beside = [c for c in changes if c.id == self.id and c.phase and c.phase != self.phase and c.verdict == self.verdict]
        return [str(c.phase) for c in sorted(beside, key=lambda c: -abs(c.after_s - c.before_s))]
