# SPDX-License-Identifier: Apache-2.0
"""How a script of people begins and ends: a message and an exit code whatever happens, never a traceback, since a
traceback's exit code 1 means something else in most of them (in scripts/gate: slower)."""

import argparse
import io
import os
import pathlib
import signal
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

from shardmark_tools.refusal import Refused
from shardmark_tools.results.plain_text import message_text
from shardmark_tools.stop_signals import Stopped

USAGE, INTERRUPTED, BROKEN_PIPE = 2, 130, 141
SHOW = "SHARDMARK_TRACEBACK"


def whole(text: str) -> int:
    """A number from 0, as an argument."""
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise argparse.ArgumentTypeError(f"'{text[:40]}': expected a whole number")
    return int(text)


def positive(text: str) -> int:
    """A number from 1, as an argument."""
    if whole(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text[:40]}': expected a number from 1")
    return int(text)


def path(text: str) -> pathlib.Path:
    """An argument too: of no text pathlib would make the working directory."""
    if not text:
        raise argparse.ArgumentTypeError("an empty name")
    return pathlib.Path(text)


def positives(text: str) -> list[int]:
    """Numbers from 1 with commas between, as an argument."""
    return [positive(word.strip()) for word in text.split(",")]


def _message(error: BaseException) -> str:
    if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
        return f"{error.filename}: {error.strerror}" if error.filename else f"{error.strerror or error}"
    if isinstance(error, Refused):
        return str(error)
    last = traceback.extract_tb(error.__traceback__)[-1]
    return (f"a fault of this program: {type(error).__name__}: {error}\n"
            f"  at {os.path.basename(last.filename)}:{last.lineno}; {SHOW}=1 shows all of it")  # fmt: skip


def fail(error: BaseException, status: int) -> int:
    """Says it as run() does, for an exit code of its own."""
    print(message_text(f"error: {_message(error)}"), file=sys.stderr)
    return status


def run(main: Callable[[], int]) -> NoReturn:
    """Calls main() and exits with what it returns; 2 with a message where it raises."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names may be any bytes
    try:
        try:
            status = main()
        except SystemExit:  # of argparse, whose help may have no reader either
            sys.stdout.flush()
            raise
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("interrupted; start it again to go on", file=sys.stderr)
        status = INTERRUPTED
    except Stopped as stopped:
        print(f"stopped by {signal.Signals(stopped.number).name}", file=sys.stderr)
        status = 128 + stopped.number
    except BrokenPipeError:
        # Whoever read our output has gone; nothing may be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = BROKEN_PIPE
    except Exception as error:
        if os.environ.get(SHOW):
            traceback.print_exc()
        status = fail(error, USAGE)
    sys.exit(status)
