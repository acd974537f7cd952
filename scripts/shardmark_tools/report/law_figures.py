# SPDX-License-Identifier: Apache-2.0
"""Laws of growth: fitted to what was measured, and what they predict for worlds that were not.

Real nodes and virtual worlds are different measurements: they never share a line, a law or a chart.
"""

from collections.abc import Iterator, Sequence

from shardmark_tools.report import scaling_laws, svg_chart
from shardmark_tools.report.answer import MOST_CONDITIONS
from shardmark_tools.report.bench_data import Bench, Data, Number, Spread
from shardmark_tools.report.figure import MOST_LINES, Cell, Figure, lines_of
from shardmark_tools.report.words import Sentence

FACTORS = (4, 16, 64)  # of the largest measured world, where no sizes were asked for
CURVE_POINTS = 32
FAMILIES = ("save", "load", "plan", "hooks")
PARTS = ["a", "b", "p"]


class Line:
    """One line of the report and its law."""

    def __init__(self, name: str, group: list[Bench], virtual: bool):
        self.name, self.group, self.virtual = name, group, virtual
        self.times = [b.time() for b in group]
        self.worlds = [self.size(b) for b in group]
        self.law = scaling_laws.fit(self.worlds, [t.value for t in self.times])

    def size(self, bench: Bench) -> int:
        return bench.world_size if self.virtual else bench.ranks

    def number(self, what: str, value: float) -> Number:
        """With the name of everything that the law was fitted to."""
        axis = "world_size" if self.virtual else "ranks"
        return Number(float(value), f"law {what} over {axis} of {' '.join(b.name for b in self.group)}")

    def prediction(self, world: int) -> Spread:
        time, low, high = (self.number(f"{what}@{world}", value)
                           for what, value in zip(("time", "low", "high"), self.law.predict(world)))  # fmt: skip
        return time, low, high

    def knee(self) -> Cell:
        knee = self.law.knee()
        return "" if knee is None else self.number("knee", knee)

    def sizes(self, wanted: Sequence[int]) -> list[int]:
        largest = max(self.worlds)
        return [w for w in wanted if w > largest] if wanted else [factor * largest for factor in FACTORS]

    def row(self) -> list[Cell]:
        cells: list[Cell] = [self.name, self.law.text(), min(self.worlds), max(self.worlds), len(self.worlds)]
        for part in PARTS:
            interval = getattr(self.law, f"{part}_interval")
            cells.append(self.number(part, getattr(self.law, part)))
            cells += [self.number(f"{part}_interval[{i}]", interval[i]) if interval else "" for i in (0, 1)]
        log = "" if self.law.b == 0 else "either" if not self.law.q_certain else str(self.law.q)
        return [*cells, log, self.knee(), self.number("spread", self.law.spread)]

    def curve(self, end: float) -> list[svg_chart.CurvePoint]:
        """(world, time, low, high) from the smallest world to `end`."""
        begin = min(self.worlds)
        steps = [begin * (end / begin) ** (i / (CURVE_POINTS - 1)) for i in range(CURVE_POINTS)]
        return [(world, *self.law.predict(world)) for world in steps]


LAW_COLUMNS = ["line", "seconds by N", "from", "to", "sizes", *(f"{part}{end}" for part in PARTS for end in
               ("", " low", " high")), "log(N)", "knee", "spread"]  # fmt: skip
PREDICTED_COLUMNS = ["line", "N", "predicted s", "low s", "high s"]
RESIDUAL_COLUMNS = ["line", "N", "measured s", "measured / law - 1"]


def lines_with_laws(data: Data) -> list[tuple[str, bool, list[Line]]]:
    """[(family, virtual, [Line])]: every line that has sizes enough for a law."""
    found = []
    for virtual in (False, True):
        for family in FAMILIES:
            benches = data.family(family, virtual=virtual)
            groups = lines_of(benches, (lambda b: b.world_size) if virtual else (lambda b: b.ranks))
            lines = [Line(name, group, virtual) for name, group in groups.items()
                     if len(group) >= scaling_laws.FEWEST_WORLDS]  # fmt: skip
            if lines:
                found.append((family, virtual, lines))
    return found


def what_of(family: str, virtual: bool) -> str:
    return "planning of virtual worlds" if virtual else "planning" if family == "plan" else family


def chart(family: str, virtual: bool, lines: list[Line], wanted: Sequence[int]) -> str:
    series = [(line.name, [(float(world), *b.spread()) for world, b in zip(line.worlds, line.group)]) for line in lines]
    curves = [line.curve(max([max(line.worlds), *line.sizes(wanted)])) for line in lines]
    return svg_chart.line_chart(f"{what_of(family, virtual)}: fitted laws",
                                "virtual ranks" if virtual else "ranks", series, curves=curves)  # fmt: skip


def law_figures(data: Data, wanted: Sequence[int] = ()) -> Iterator[Figure]:
    for family, virtual, lines in lines_with_laws(data):
        key = f"{family}{'-virtual' if virtual else ''}"
        name = what_of(family, virtual)
        predictions: list[list[Cell]] = [
            [line.name, world, *line.prediction(world)] for line in lines for world in line.sizes(wanted)
        ]
        yield Figure(
            f"laws-{key}", f"Law of growth: {name}",
            "t = a + b N^p log(N)^q of the median times (q is 0 or 1, or either where the data cannot tell), "
            f"N {'virtual ranks' if virtual else 'ranks of real processes'}. Bands and the ends called low and high: "
            "95 %. Knee: where both parts cost the same. Spread: of the medians around the law.",
            [chart(family, virtual, lines[i : i + MOST_LINES], wanted) for i in range(0, len(lines), MOST_LINES)],
            LAW_COLUMNS, [line.row() for line in lines],
        )  # fmt: skip
        yield Figure(f"predicted-{key}", f"Predicted: {name}", "By the laws above, with 95 % prediction intervals; "
                     "what the data does not show (another switch, a full file server) no law knows.", [],
                     PREDICTED_COLUMNS, predictions)  # fmt: skip
        residuals: list[list[Cell]] = [
            [line.name, world, time, line.number(f"residual@{world}", residual)]
            for line in lines for world, time, residual in zip(line.worlds, line.times, line.law.residuals)
        ]  # fmt: skip
        yield Figure(f"residuals-{key}", f"Residuals: {name}", "How far each measured median lies from its law.", [],
                     RESIDUAL_COLUMNS, residuals)  # fmt: skip


def law_sentences(data: Data, wanted: Sequence[int] = ()) -> list[Sentence]:
    """What the laws say of the largest worlds: words of the fastest line of each family, and of each condition."""
    made: list[Sentence] = []
    for family, virtual, lines in lines_with_laws(data):
        name = "planning" if family == "plan" else f"a {family}" if family in ("save", "load") else "the hooks"
        groups: dict[str, list[Line]] = {}
        for line in lines:
            groups.setdefault(str(line.group[0].condition), []).append(line)
        for group in list(groups.values())[:MOST_CONDITIONS]:
            line = min(group, key=lambda entry: entry.times[-1].value)
            for world in line.sizes(wanted)[-1:]:
                time, low, high = line.prediction(world)
                made.append([
                    f"Predicted for {world:,} {'virtual ' if virtual else ''}ranks: {name} by ", ("strong", line.name),
                    " takes ", ("s", time), " [", ("s", low), " to ", ("s", high),
                    f"], by a law fitted on {min(line.worlds):,} to {max(line.worlds):,} ranks.",
                ])  # fmt: skip
    return made
