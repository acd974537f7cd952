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
    "[model]\nname = 3\n", "[model]\nscale = nan\n[parallel]\nstrategy = []\n", "parallel = 1\nsweep = 2\n",
    ".".join("a" * 20_000) + " = 1",
    "a = " + "[" * 20_000,
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
    """Damages one JSON file of a sound result folder; one that is no single document, by its bytes. Says how."""
    text = path.read_text(encoding="utf-8")
    try:
        json.loads(text)
    except ValueError:
        return write_damaged_bytes(path, generator)
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


WORDS = ("nan", "inf", "-inf", "1e400", "9" * 5000, "0x7fffffffffffffff", "-9223372036854775808", "9223372036854775807", '""',
         '"' + "x" * 100_000 + '"', "[]", "{}", "[[1]]", "true", "1979-05-27T07:32:00Z", '"\\u0000"', '"../.."', "-1", "0",
         "1e-300", "[" * 20_000, "{a=" * 20_000, '"64EiB"', '"groups:0"', '"groups:99999999999999999999"', "'''")  # fmt: skip
LINES = (".".join("a" * 20_000) + " = 1", "[" + "[" * 20_000, "[" + ".".join("b" * 5_000) + "]", 'include = ["x"]', "x", "= 1",
         "[[model]]", "[model]", '"\x1b[31m" = 1', "model = 3", "[storage.hints]", "sweep = 1", "a = {b = {c = 1}, b.d = 2}")  # fmt: skip


def write_damaged_toml(path: pathlib.Path, generator: random.Random) -> str:
    """Damages one TOML file: a value, a line, its bytes. Says how."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    how = generator.choices(("value", "line", "swap", "cut", "flipped", "bytes", "empty", "pipe"), (50, 20, 8, 6, 8, 4, 1, 1))[0]
    if how in ("bytes", "empty", "pipe", "cut"):
        return write_damaged_bytes(path, generator, how)
    if how == "flipped":
        path.write_text(flipped(text, generator), encoding="utf-8")
        return how
    for _ in range(generator.randint(1, 3)):
        place = generator.randrange(len(lines))
        if how == "value":
            keyed = [i for i, line in enumerate(lines) if " = " in line] or [0]
            place = generator.choice(keyed)
            lines[place] = lines[place].partition(" = ")[0] + " = " + generator.choice(WORDS)
        elif how == "line":
            lines.insert(place, generator.choice(LINES))
        else:
            other = generator.randrange(len(lines))
            lines[place], lines[other] = lines[other], lines[place]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return how


def write_damaged_bytes(path: pathlib.Path, generator: random.Random, how: str | None = None) -> str:
    """Damages any file without regard to what it holds. Says how."""
    raw = bytearray(path.read_bytes())
    how = how or generator.choices(("bytes", "cut", "inserted", "moved", "empty", "pipe"), (50, 20, 14, 12, 2, 2))[0]
    if how == "bytes":
        for _ in range(generator.randint(1, 4)):
            raw[generator.randrange(len(raw))] = generator.choice((0x00, 0x7F, 0x80, 0xFF, generator.randrange(256)))
    elif how == "cut":
        del raw[generator.randrange(len(raw)) :]
    elif how == "inserted":
        place = generator.randrange(len(raw))
        raw[place:place] = generator.randbytes(generator.randint(1, 64))
    elif how == "moved":
        place, there, count = generator.randrange(len(raw)), generator.randrange(len(raw)), generator.randint(1, 64)
        raw[place : place + count] = raw[there : there + count]
    elif how == "empty":
        raw.clear()
    if how == "pipe":
        path.unlink()
        os.mkfifo(path)
    else:
        path.write_bytes(bytes(raw))
    return how


def write_damaged_header(path: pathlib.Path, generator: random.Random) -> str:
    """Damages a safetensors file: its header as JSON, the header's length, or any byte. Says how."""
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header, data = raw[8 : 8 + length].decode(), raw[8 + length :]
    how = generator.choices(("document", "special", "length", "file"), (60, 12, 8, 20))[0]
    if how == "file":
        return write_damaged_bytes(path, generator)
    if how == "length":
        length = generator.choice((0, 1, length - 1, length + 1, len(raw), 2**31, 2**63, 2**64 - 1))
    else:
        header = json.dumps(damaged(json.loads(header), generator)) if how == "document" else special(header, generator)
        length = len(header.encode("utf-8", "surrogatepass"))
    path.write_bytes(length.to_bytes(8, "little") + header.encode("utf-8", "surrogatepass") + data)
    return how
