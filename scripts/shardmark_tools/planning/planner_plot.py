# SPDX-License-Identifier: Apache-2.0
"""The plot of scripts/planner-scaling: measured points, fitted laws, and what is only modelled."""

import matplotlib

matplotlib.use("Agg")

import numpy  # noqa: E402
from matplotlib import pyplot  # noqa: E402

# Okabe and Ito's colours, told apart by all common kinds of colour vision; markers differ too.
STYLE = {
    "coordinator": ("#D55E00", "o"),
    "tree": ("#009E73", "s"),
    "layout": ("#0072B2", "^"),
}


def draw(points, laws, largest, path):
    figure, axes = pyplot.subplots(figsize=(9, 6), dpi=130)
    for planner, of in laws.items():
        colour, marker = STYLE.get(planner, ("#555555", "x"))
        mine = [p for p in points if p["planner"] == planner]
        worlds = [p["world"] for p in mine]
        axes.plot(worlds, [p["measured_s"] for p in mine], marker, color=colour, markersize=5,
                  alpha=0.8, label=f"{planner}: measured")  # fmt: skip
        law = of.get("measured_s")
        if law is not None:
            top = max(worlds)
            inside = numpy.geomspace(2, top, 100)
            axes.plot(inside, [law.at(n) for n in inside], "-", color=colour, linewidth=1.5,
                      label=f"{planner}: fit  {law.text()}")  # fmt: skip
            if top < largest:
                beyond = numpy.geomspace(top, largest, 60)
                bands = [law.predict(n) for n in beyond]
                axes.plot(beyond, [b[0] for b in bands], ":", color=colour, linewidth=1.5,
                          label=f"{planner}: extrapolated, 95 %")  # fmt: skip
                axes.fill_between(beyond, [max(b[1], 1e-7) for b in bands], [b[2] for b in bands],
                                  color=colour, alpha=0.12, linewidth=0)  # fmt: skip
        network = [(p["world"], p["modelled_network_s"]) for p in mine if p.get("modelled_network_s")]
        if network:
            axes.plot([w for w, _ in network], [s for _, s in network], "--", color=colour, linewidth=1,
                      alpha=0.7, label=f"{planner}: network, modelled")  # fmt: skip
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlabel("world size (virtual ranks)")
    axes.set_ylabel("seconds: one rank's part plus the coordinator's")
    axes.set_title("Planning one save, by planner and world size")
    axes.grid(True, which="major", alpha=0.3)
    axes.legend(fontsize=7, loc="upper left")
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
