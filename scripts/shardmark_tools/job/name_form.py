# SPDX-License-Identifier: Apache-2.0
"""What can be a tensor's name: text that UTF-8 can hold, of a length that files can."""

LONGEST_NAME = 60_000


def is_utf8(text: str) -> bool:
    """JSON and pickles can hold half of a character, which no file can."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def name_problem(fqn: object) -> str | None:
    """What is wrong with it, short and printable; None for a good one."""
    if type(fqn) is not str:
        return f"a name of kind {type(fqn).__name__}"
    if not is_utf8(fqn):
        return f"name '{ascii(fqn[:80])[1:-1]}' is no UTF-8"
    length = len(fqn.encode())
    return f"a name of {length} bytes, at most {LONGEST_NAME}" if length > LONGEST_NAME else None
