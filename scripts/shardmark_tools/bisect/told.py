# SPDX-License-Identifier: Apache-2.0
"""The answer of a bisect as text and JSON."""

import json
from typing import Any

import numpy as np

from shardmark_tools.bisect.search import FOUND, NO_STEP, SEVERAL, UNDECIDED, Answer, Search
from shardmark_tools.bisect.states import State

EXIT_CODES = {FOUND: 0, NO_STEP: 1, SEVERAL: 3, UNDECIDED: 3}


def ratio_text(size: tuple[float, float, float]) -> str:
    middle, low, high = np.exp(size)
    return f"{middle:.3f} [{low:.3f}..{high:.3f}] times the time"


def count_text(search: Search) -> str:
    return f"{search.posterior.count()} pairs over {len(search.posterior.pairs)} of {search.states - 1} states"


def found_lines(answer: Answer, states: list[State]) -> list[str]:
    assert answer.first is not None and answer.last is not None and answer.size is not None
    steps = states[answer.first + 1 : answer.last + 1]
    if len(steps) == 1:
        return [f"slower since {steps[0].step}", f"  {ratio_text(answer.size)}"]
    return [f"slower since one of {len(steps)} steps, between which nothing could be tried", f"  {ratio_text(answer.size)}",
            *(f"  {state.step}" for state in steps)]  # fmt: skip


def several_lines(answer: Answer, search: Search, states: list[State]) -> list[str]:
    """Levels of what was measured: no single step explains them."""
    lines = ["the answer is not one step: times have a level of their own in the middle"]
    for state in sorted(search.posterior.pairs):
        values = search.posterior.pairs[state]
        lines.append(f"  {np.exp(np.median(values)):.3f} times ({len(values)} pairs) with {states[state].step}")
    lines.append("  bisect from the good end to a state in the middle, and from there to the bad end")
    return lines


def text(answer: Answer, search: Search, states: list[State]) -> str:
    kind = answer.kind
    if kind == FOUND:
        lines = found_lines(answer, states)
    elif kind == NO_STEP:
        lines = ["no step: the bad end is not slower than the good one by what is looked for"]
    elif kind == SEVERAL:
        lines = several_lines(answer, search, states)
    else:
        place = int(answer.belief.at.argmax())
        lines = [f"undecided after {search.posterior.count()} pairs: most likely {states[place + 1].step} (chance "
                 f"{answer.belief.at[place]:.2f}), no step {answer.belief.none:.2f}, several {answer.belief.several:.2f}",
                 "  start it again with more --most-pairs to go on"]  # fmt: skip
    lines += [f"does not build, left out: {states[state].step}" for state in sorted(search.broken)]
    lines.append(f"{count_text(search)}; chance of a wrong answer, of all of it: {100 * search.error:g} %")
    return "\n".join(lines) + "\n"


def document(answer: Answer, search: Search, states: list[State]) -> str:
    """One JSON document; sizes as ratios of times."""
    step = None
    if answer.kind == FOUND and answer.first is not None and answer.last is not None and answer.size is not None:
        middle, low, high = (float(value) for value in np.exp(answer.size))
        steps = states[answer.first + 1 : answer.last + 1]
        step = {"steps": [state.step for state in steps], "commits": [state.commit for state in steps if state.commit],
                "ratio": middle, "interval": [low, high]}  # fmt: skip
    made: dict[str, Any] = {
        "answer": answer.kind, "step": step, "pairs": search.posterior.count(), "error": search.error,
        "left_out": [states[state].step for state in sorted(search.broken)],
        "measured": [{"step": states[state].step, "pairs": len(values), "ratio": float(np.exp(np.median(values)))}
                     for state, values in sorted(search.posterior.pairs.items())],
    }  # fmt: skip
    return json.dumps(made, indent=1, allow_nan=False) + "\n"
