# SPDX-License-Identifier: Apache-2.0
"""Paths on a command line count from where the user is, whatever folder a command then runs in."""

import json
import os
import pathlib
import shlex
import shutil

from shardmark_tools.refusal import Refused

PATH_KEYS = ("storage.directory", "model.safetensors", "model.job", "load.from")
PROGRAM_KEYS = ("peers.fio", "peers.dcp", "peers.torch_save", "peers.safetensors")  # a bare name is looked up on PATH
# Options of launchers whose next word is a file.
FILE_OPTIONS = {"--hostfile", "-hostfile", "--machinefile", "-machinefile", "--rankfile", "-rf", "-f", "--app",
                "--multi-prog"}  # fmt: skip


class CannotLaunch(Refused):
    """The message says what is missing."""


def absolute(path: pathlib.Path | str) -> str:
    """Without following links: what the user calls it is what is shown."""
    return os.path.abspath(path)


def text_value(value: str) -> str:
    """The text of the right side of --set: a TOML string in either kind of quotes, or a bare word."""
    value = value.strip()
    if len(value) >= 2 and value[0] == value[-1] == "'":
        return value[1:-1]
    if len(value) >= 2 and value[0] == value[-1] == '"':
        try:
            return str(json.loads(value))
        except ValueError:
            return value[1:-1]
    return value


def absolute_setting(setting: str) -> str:
    """KEY=VALUE; where the value is a path, as a quoted absolute one."""
    key, _, value = setting.partition("=")
    key, text = key.strip(), text_value(value)
    if not (key in PATH_KEYS and text) and not (key in PROGRAM_KEYS and "/" in text):
        return setting
    return f"{key}={json.dumps(absolute(text), ensure_ascii=False)}"


def suite_path(suite: str) -> str:
    """Absolute if it is a path: a name is looked up by the command."""
    return absolute(suite) if "/" in suite or suite.endswith(".toml") else suite


def split_words(text: str) -> list[str]:
    """As a shell would, but a command whose path has spaces needs no quotes."""
    ends = [len(text), *(i for i in range(len(text) - 1, 0, -1) if text[i] == " ")]
    spaced = next((end for end in ends if " " in text[:end].strip() and shutil.which(text[:end].strip())), None)
    try:
        if spaced is not None:
            return [text[:spaced].strip(), *shlex.split(text[spaced:])]
        return shlex.split(text)
    except ValueError as error:
        raise CannotLaunch(f"--launcher '{text}': {error}") from error


def launcher_words(text: str) -> list[str]:
    """The words of a launcher, as a shell would split them, files among them absolute. Errors: CannotLaunch."""
    words = split_words(text)
    found = shutil.which(words[0]) if words else None
    if found is None:
        raise CannotLaunch(f"no command '{words[0] if words else text}' to start ranks with")
    made = [absolute(found)]
    for before, word in zip(words, words[1:]):
        name, equals, value = word.partition("=")
        if before in FILE_OPTIONS or ("/" in word and os.path.exists(word)):
            made.append(absolute(word))
        elif equals and name in FILE_OPTIONS:
            made.append(f"{name}={absolute(value)}")
        else:
            made.append(word)
    return made
