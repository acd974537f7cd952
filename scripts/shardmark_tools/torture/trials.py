# SPDX-License-Identifier: Apache-2.0
"""The kinds of attack that can be made here, and why not the others."""

import pathlib
from collections.abc import Iterable

from shardmark_tools.torture.attacks import Trial
from shardmark_tools.torture.damage_trial import DamageTrial
from shardmark_tools.torture.fault_trial import FaultTrial
from shardmark_tools.torture.kill_trial import KillTrial
from shardmark_tools.torture.power_trial import PowerTrial
from shardmark_tools.torture.score import Score
from shardmark_tools.torture.site import Site

LIBRARY = "libshardmark_interposed.so"


def library_of(shardmark: pathlib.Path) -> pathlib.Path | None:
    """What is preloaded into ranks: beside the command in a build, in the library folder of an installation."""
    command = shardmark.resolve()
    places = [command.parent.parent / "interposed" / LIBRARY]
    prefix = command.parent.parent
    places += [*prefix.glob(f"lib*/shardmark/{LIBRARY}"), *prefix.glob(f"lib*/*/shardmark/{LIBRARY}")]
    return next((place for place in places if place.is_file()), None)


def make_trials(site: Site, wanted: Iterable[str], score: Score) -> dict[str, Trial]:
    """By name; `score` learns what is not tried."""
    made: dict[str, Trial] = {}
    for kind in wanted:
        if kind == "damages":
            made[kind] = DamageTrial(site)
        elif kind == "kills":
            made[kind] = KillTrial(site, score.launcher_failed)
        elif site.library is None:
            score.not_tried[kind] = f"it wants {LIBRARY}, which is installed with the command; none was found near {site.shardmark}"
        elif kind == "faults":
            made[kind] = FaultTrial(site)
        else:
            made[kind] = PowerTrial(site)
    return made
