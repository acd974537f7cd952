# SPDX-License-Identifier: Apache-2.0
"""What a tuning found, as text, JSON and a configuration."""

import json
from typing import Any

import numpy as np

from shardmark_tools.results.plain_text import aligned_table
from shardmark_tools.tune.gain_test import GAIN, NOTHING, OPEN
from shardmark_tools.tune.remedies import Remedy, toml_value
from shardmark_tools.tune.trials import Tried
from shardmark_tools.tune.tuning import Tuned

HEADINGS = ["remedy", "verdict", "of", "time without / with [95 %]", "pairs", "costs", "settings"]
WORDS = {GAIN: "gains", NOTHING: "gains nothing", OPEN: "not confirmed"}


def ratio_text(tried: Tried) -> str:
    if tried.gain is None:
        return ""
    middle, low, high = np.exp(tried.gain)
    return f"{middle:.3f} [{low:.3f}..{high:.3f}]"


def cells(tried: Tried) -> list[str]:
    return [tried.remedy.name, WORDS.get(tried.verdict, tried.verdict), tried.family or "", ratio_text(tried),
            str(tried.pairs), "; ".join([*tried.costs, tried.message] if tried.message else tried.costs),
            " ".join(tried.remedy.options())]  # fmt: skip


def text(tuned: Tuned) -> str:
    lines = [f"{symptom.family}: {symptom.text} ({symptom.cause})" for symptom in tuned.symptoms]
    lines = [*(lines or ["nothing ails it, as far as a run tells"]), ""]
    if tuned.tried:
        lines += [*aligned_table(HEADINGS, [cells(tried) for tried in tuned.tried]), ""]
    if tuned.proposed is None:
        return "\n".join([*lines, "nothing is proposed: no remedy was confirmed"]) + "\n"
    chosen = tuned.proposed
    lines.append(f"proposed: {chosen.remedy.name}: {ratio_text(chosen)} times the speed of {chosen.family}s")
    lines += [f"  {line}" for line in ([chosen.message] if chosen.message else []) + chosen.costs]
    return "\n".join(lines) + "\n"


def configuration(tuned: Tuned, suite: str) -> str:
    """The suite with what is proposed; "" where nothing is."""
    if tuned.proposed is None:
        return ""
    sections: dict[str, list[str]] = {}
    for key, value in tuned.proposed.remedy.settings.items():
        section, _, name = key.partition(".")
        sections.setdefault(section, []).append(f"{name} = {toml_value(value)}")
    include = suite if suite.endswith(".toml") else f"suites/{suite}"
    head = [f"# {tuned.proposed.remedy.name}: {ratio_text(tuned.proposed)} times the speed of {tuned.proposed.family}s, "
            f"{tuned.proposed.pairs} pairs on the machine it was tried on", f"include = [{json.dumps(include)}]"]  # fmt: skip
    body = ["\n".join([f"\n[{section}]", *lines]) for section, lines in sections.items()]
    return "\n".join([*head, *body]) + "\n"


def tried_json(tried: Tried) -> dict[str, Any]:
    gain = None if tried.gain is None else [float(value) for value in np.exp(tried.gain)]
    remedy: Remedy = tried.remedy
    return {"remedy": remedy.name, "settings": remedy.settings, "verdict": tried.verdict, "family": tried.family,
            "gain": None if gain is None else gain[0], "interval": None if gain is None else gain[1:],
            "pairs": tried.pairs, "costs": tried.costs, "against": [symptom.cause for symptom in tried.against],
            "message": tried.message or None}  # fmt: skip


def document(tuned: Tuned) -> str:
    symptoms = [{"cause": s.cause, "family": s.family, "text": s.text} for s in tuned.symptoms]
    made = {"symptoms": symptoms, "tried": [tried_json(tried) for tried in tuned.tried],
            "proposed": None if tuned.proposed is None else tried_json(tuned.proposed)}  # fmt: skip
    return json.dumps(made, indent=1, allow_nan=False) + "\n"
