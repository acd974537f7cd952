# SPDX-License-Identifier: Apache-2.0
"""Reads JSON that others wrote: what is not strict JSON is refused with the file and the reason."""

import json
import math
import pathlib
import re
import stat
from typing import Any

from shardmark_tools.refusal import Refused

LARGEST = 2**64
HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")


class NotReadable(Refused):
    """The message is for the user: which file, which key, what was found, what was expected."""


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is no number that a program can hold")
    return value


def _whole(text: str) -> int:
    if len(text) > 25 or abs(int(text)) >= LARGEST:
        raise ValueError(f"{text[:40]} is no number that a program can hold")
    return int(text)


def parse(text: str) -> Any:
    """Errors: ValueError, for bare NaN and Infinity, numbers beyond 64 bits, halves of characters and what is
    nested too deep too."""
    try:
        document = json.loads(text, parse_constant=_refuse, parse_float=_finite, parse_int=_whole)
        if HALF_CHARACTER.search(text):
            json.dumps(document, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    except UnicodeEncodeError as error:
        raise ValueError("half of a character (a lone surrogate)") from error
    return document


def read_json(path: pathlib.Path | str) -> Any:
    """Errors: NotReadable. Only a regular file is opened: a pipe would block."""
    try:
        if not stat.S_ISREG(pathlib.Path(path).stat().st_mode):
            raise NotReadable(f"{path}: not a regular file")
        text = pathlib.Path(path).read_bytes().decode("utf-8")
        return parse(text)
    except OSError as error:
        raise NotReadable(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise NotReadable(f"{path}: not JSON: not UTF-8 from byte {error.start} on") from error
    except ValueError as error:
        raise NotReadable(f"{path}: not JSON: {error}") from error
