# SPDX-License-Identifier: Apache-2.0
"""Damages JSON documents and files as faults and enemies do, by seed: for the tests of what reads them."""

import json
import os
import pathlib
import random
from collections.abc import Callable
from typing import Any

VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**63, 1e300, 1e-320, 0.0, "", "x", "1", "<script>alert(1)</script>", "a\nb", "\x1b[31m",
    "|", "../..", [], {}, [[]], [None], {"a": 1}, "ok", 1e9, 3, "save/x/y/z",
)  # fmt: skip
DEPTH = 100000


def places(document: Any) -> list[tuple[Any, Any]]:
    """(container, key) of everything in a document."""
    found: list[tuple[Any, Any]] = []
    pending = [document]
    while pending:
        container = pending.pop()
        entries = container.items() if isinstance(container, dict) else enumerate(container)
        for key, value in list(entries):
            found.append((container, key))
            if isinstance(value, (dict, list)):
                pending.append(value)
    return found


def damaged(document: Any, generator: random.Random, most: int = 3) -> Any:
    """The document itself, with up to `most` things changed, gone, doubled or swapped."""
    for _ in range(generator.randint(1, most)):
        choices = places(document)
        if not choices:
            return document
        container, key = generator.choice(choices)
        way = generator.randrange(6)
        if way == 0:
            del container[key]
        elif way == 1 and isinstance(container, list):
            container.append(container[key])
        elif way == 2 and isinstance(container[key], (int, float)) and not isinstance(container[key], bool):
            container[key] = container[key] * generator.choice((0, -1, 2, 10**6, 0.1))
        elif way == 3 and isinstance(container[key], str):
            container[key] = generator.choice((container[key] * 2, container[key][: len(container[key]) // 2]))
        elif way == 4:
            other, there = generator.choice(choices)
            if (isinstance(other, dict) and there in other) or (isinstance(other, list) and there < len(other)):
                container[key] = json.loads(json.dumps(other[there]))
        else:
            container[key] = json.loads(json.dumps(generator.choice(VALUES)))
    return document


def cut(text: str, generator: random.Random) -> str:
    return text[: generator.randrange(len(text))]


def flipped(text: str, generator: random.Random) -> str:
    place = generator.randrange(len(text))
    return text[:place] + chr(generator.randrange(256)) + text[place + 1 :]


def special(text: str, generator: random.Random) -> str:
    """What JSON's grammar takes, or nearly takes, and no program can use."""
    word = generator.choice(("NaN", "Infinity", "-Infinity", "1e999", "9" * 5000, '"\\ud800"', "[" * DEPTH,
                             "[" * DEPTH + "]" * DEPTH, '{"a":' * DEPTH))  # fmt: skip
    digits = [i for i, letter in enumerate(text) if letter.isdigit() and text[i - 1] in " ,:["]
    place = generator.choice(digits) if digits else 0
    return text[:place] + word + text[place + 1 :]


def write_damaged(path: pathlib.Path, generator: random.Random) -> str:
    """Damages one JSON file of a sound result folder. Says how."""
    text = path.read_text(encoding="utf-8")
    how = generator.choices(("document", "cut", "flipped", "special", "empty", "version", "bytes", "folder", "pipe"),
                            (60, 8, 8, 8, 2, 4, 4, 1, 1))[0]  # fmt: skip
    if how == "document":
        path.write_text(json.dumps(damaged(json.loads(text), generator)), encoding="utf-8")
    elif how in ("cut", "flipped", "special"):
        change: Callable[[str, random.Random], str] = {"cut": cut, "flipped": flipped, "special": special}[how]
        path.write_text(change(text, generator), encoding="utf-8")
    elif how == "empty":
        path.write_text("", encoding="utf-8")
    elif how == "version":
        document = json.loads(text)
        if isinstance(document, dict):
            document["schema_version"] = generator.choice((0, 2, "1", None, True, 1.5))
        path.write_text(json.dumps(document), encoding="utf-8")
    elif how == "bytes":
        raw = bytearray(text.encode())
        raw[generator.randrange(len(raw))] = generator.choice((0x00, 0x80, 0xFF, 0xC0))
        path.write_bytes(bytes(raw))
    else:
        path.unlink()
        if how == "folder":
            path.mkdir()
        else:
            os.mkfifo(path)
    return how
