# SPDX-License-Identifier: Apache-2.0
"""Laws of growth: fitted to what was measured, and what they predict for worlds that were not.

Real nodes and virtual worlds are different measurements: they never share a line, a law or a chart.
"""

from shardmark_tools.report import scaling_laws, svg_chart
from shardmark_tools.report.report_data import Number
from shardmark_tools.report.sections import MOST_LINES, Figure, lines_of

FACTORS = (4, 16, 64)  # of the largest measured world, where no sizes were asked for
CURVE_POINTS = 32
FAMILIES = ("save", "load", "plan", "hooks")
PARTS = ["a", "b", "p"]


class Line:
    """One line of the report and its law."""

    def __init__(self, name, group, virtual):
        self.name, self.group, self.virtual = name, group, virtual
        self.times = [b.over("median", "time_s") for b in group]
        self.worlds = [self.size(b) for b in group]
        self.law = scaling_laws.fit(self.worlds, [t.value for t in self.times])

    def size(self, bench):
        return bench.world_size if self.virtual else bench.ranks

    def number(self, what, value):
        """With the name of everything that the law was fitted to."""
        axis = "world_size" if self.virtual else "ranks"
        return Number(float(value), f"law {what} over {axis} of {' '.join(b.name for b in self.group)}")

    def prediction(self, world):
        return tuple(self.number(f"{what}@{world}", value)
                     for what, value in zip(("time", "low", "high"), self.law.predict(world)))  # fmt: skip

    def knee(self):
        knee = self.law.knee()
        return "" if knee is None else self.number("knee", knee)

    def sizes(self, wanted):
        largest = max(self.worlds)
        return [w for w in wanted if w > largest] if wanted else [factor * largest for factor in FACTORS]

    def row(self):
        cells = [self.name, self.law.text(), min(self.worlds), max(self.worlds), len(self.worlds)]
        for part in PARTS:
            interval = getattr(self.law, f"{part}_interval")
            cells.append(self.number(part, getattr(self.law, part)))
            cells += [self.number(f"{part}_interval[{i}]", interval[i]) if interval else "" for i in (0, 1)]
        log = "" if self.law.b == 0 else "either" if not self.law.q_certain else str(self.law.q)
        return [*cells, log, self.knee(), self.number("spread", self.law.spread)]

    def curve(self, end):
        """(world, time, low, high) from the smallest world to `end`."""
        begin = min(self.worlds)
        steps = [begin * (end / begin) ** (i / (CURVE_POINTS - 1)) for i in range(CURVE_POINTS)]
        return [(world, *self.law.predict(world)) for world in steps]


LAW_COLUMNS = ["line", "seconds by N", "from", "to", "sizes", *(f"{part}{end}" for part in PARTS for end in
               ("", " low", " high")), "log(N)", "knee", "spread"]  # fmt: skip
PREDICTED_COLUMNS = ["line", "N", "predicted s", "low s", "high s"]
RESIDUAL_COLUMNS = ["line", "N", "measured s", "measured / law - 1"]


def lines_with_laws(data):
    """[(family, virtual, [Line])]: every line that has sizes enough for a law."""
    found = []
    for virtual in (False, True):
        for family in FAMILIES:
            groups = lines_of(data.family(family, virtual=virtual), lambda b, v=virtual: b.world_size if v else b.ranks)
            lines = [Line(name, group, virtual) for name, group in groups.items()
                     if len(group) >= scaling_laws.FEWEST_WORLDS]  # fmt: skip
            if lines:
                found.append((family, virtual, lines))
    return found


def what_of(family, virtual):
    return "planning of virtual worlds" if virtual else "planning" if family == "plan" else family


def chart(family, virtual, lines, wanted):
    series = [(line.name, [(world, *b.spread()) for world, b in zip(line.worlds, line.group)]) for line in lines]
    curves = [line.curve(max([max(line.worlds), *line.sizes(wanted)])) for line in lines]
    return svg_chart.line_chart(f"{what_of(family, virtual)}: fitted laws",
                                "virtual ranks" if virtual else "ranks", series, curves=curves)  # fmt: skip


def figures(data, wanted=()):
    for family, virtual, lines in lines_with_laws(data):
        key = f"{family}{'-virtual' if virtual else ''}"
        name = what_of(family, virtual)
        predictions = [[line.name, world, *line.prediction(world)] for line in lines for world in line.sizes(wanted)]
        yield Figure(
            f"laws-{key}", f"Law of growth: {name}",
            "t = a + b N^p log(N)^q of the median times (q is 0 or 1, or either where the data cannot tell), "
            f"N {'virtual ranks' if virtual else 'ranks of real processes'}. Bands and the ends called low and high: "
            "95 %. Knee: where both parts cost the same. Spread: of the medians around the law.",
            [chart(family, virtual, lines[i : i + MOST_LINES], wanted) for i in range(0, len(lines), MOST_LINES)],
            LAW_COLUMNS, [line.row() for line in lines],
        )  # fmt: skip
        yield Figure(f"predicted-{key}", f"Predicted: {name}", "By the laws above, with 95 % prediction intervals; what "
                     "the data does not show (another switch, a full file server) no law knows.", [], PREDICTED_COLUMNS,
                     predictions)  # fmt: skip
        residuals = [[line.name, world, time, line.number(f"residual@{world}", residual)]
                     for line in lines for world, time, residual in zip(line.worlds, line.times, line.law.residuals)]  # fmt: skip
        yield Figure(f"residuals-{key}", f"Residuals: {name}", "How far each measured median lies from its law.", [],
                     RESIDUAL_COLUMNS, residuals)  # fmt: skip


def sentences(data, wanted=()):
    """What the laws say of the largest worlds, a line of words for each family."""
    made = []
    for family, virtual, lines in lines_with_laws(data):
        name = "planning" if family == "plan" else f"a {family}" if family in ("save", "load") else "the hooks"
        line = min(lines, key=lambda entry: entry.times[-1].value)
        for world in line.sizes(wanted)[-1:]:
            time, low, high = line.prediction(world)
            made.append([f"Predicted for {world:,} {'virtual ' if virtual else ''}ranks: {name} by ", ("strong", line.name),
                         " takes ", ("s", time), " [", ("s", low), " to ", ("s", high),
                         f"], by a law fitted on {min(line.worlds):,} to {max(line.worlds):,} ranks."])  # fmt: skip
    return made
