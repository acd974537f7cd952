#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that headers include what they use of the standard library, and lean on no other header for it.

Usage: check_includes.py [--mend] [ROOT]. Prints FILE:LINE of the first use of each name whose header
is not included; exit code 1 if there is any. --mend adds the includes in place.

By names alone, so it needs no compiler: those that stand in our headers, each with its one header.
"""

import pathlib
import re
import subprocess
import sys

FOLDERS = ("lib", "bench")
INTEGER = r"\bu?int(?:8|16|32|64)_t\b|\bstd::uintptr_t\b"
NAMES = {
    "algorithm": r"\bstd::(?:ranges::)?(?:min|max|sort|find|find_if|copy|copy_n|fill|equal|clamp|upper_bound|"
                 r"lower_bound|transform|any_of|all_of)\b",
    "array": r"\bstd::(?:array|to_array)\b",
    "atomic": r"\bstd::atomic\b",
    "chrono": r"\bstd::chrono\b",
    "concepts": r"\bstd::(?:integral|invocable|same_as|convertible_to|floating_point)\b",
    "condition_variable": r"\bstd::condition_variable\b",
    "cstddef": r"\bstd::(?:size_t|byte|ptrdiff_t)\b",
    "cstdint": INTEGER,
    "cstring": r"\bstd::mem(?:cpy|set|cmp)\b",
    "deque": r"\bstd::deque\b",
    "functional": r"\bstd::function\b",
    "limits": r"\bstd::numeric_limits\b",
    "list": r"\bstd::list\b",
    "map": r"\bstd::map\b",
    "memory": r"\bstd::(?:unique_ptr|shared_ptr|make_unique|make_shared)\b",
    "mutex": r"\bstd::(?:mutex|unique_lock|scoped_lock|recursive_mutex)\b",
    "optional": r"\bstd::(?:optional|nullopt)\b",
    "set": r"\bstd::set\b",
    "span": r"\bstd::(?:span|as_bytes|as_writable_bytes)\b",
    "string": r"\bstd::(?:string|to_string)\b",
    "string_view": r"\bstd::string_view\b",
    "thread": r"\bstd::j?thread\b",
    "tuple": r"\bstd::(?:tuple|tie)\b",
    "type_traits": r"\bstd::(?:is_\w+_v|remove_cvref_t|decay_t|enable_if_t|conditional_t)\b",
    "unordered_map": r"\bstd::unordered_map\b",
    "utility": r"\bstd::(?:move|pair|exchange|forward|swap)\b",
    "variant": r"\bstd::variant\b",
    "vector": r"\bstd::vector\b",
}  # fmt: skip
PATTERNS = {header: re.compile(pattern) for header, pattern in NAMES.items()}
INCLUDE = re.compile(r"^#include <([^>]+)>$", re.MULTILINE)
COMMENT = re.compile(r"//[^\n]*")


def headers_of(root: pathlib.Path) -> list[pathlib.Path]:
    """Headers under version control; of a plain copy, all."""
    listing = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", str(root), "ls-files", "-z", *FOLDERS],
        capture_output=True,
        check=False,
    )
    if listing.returncode == 0:
        names = listing.stdout.decode().split("\0")
        return [root / name for name in sorted(names) if name.endswith(".hpp") and (root / name).is_file()]
    return sorted(path for folder in FOLDERS for path in (root / folder).rglob("*.hpp"))


def missing(text: str) -> dict[str, int]:
    """By standard header that is used and not included: the line of its first use."""
    code = COMMENT.sub("", text)
    included = set(INCLUDE.findall(text))
    uses = {header: pattern.search(code) for header, pattern in PATTERNS.items() if header not in included}
    return {header: code.count("\n", 0, use.start()) + 1 for header, use in uses.items() if use}


def mended(text: str) -> str:
    """With the includes added, in order, in the group of the language's own headers."""
    wanted = sorted(missing(text))
    lines = text.split("\n")
    own = [i for i, line in enumerate(lines) if re.fullmatch(r"#include <[a-z_]+>", line)]
    if own:
        names = sorted({*wanted, *(lines[i][10:-1] for i in own)})
        lines[own[0] : own[-1] + 1] = [f"#include <{name}>" for name in names]
        return "\n".join(lines)
    at = lines.index("#pragma once") + 1
    while at < len(lines) and (not lines[at] or lines[at].startswith("#include <")):
        at += 1
    block = [f"#include <{name}>" for name in wanted]
    return "\n".join([*lines[:at], *block, "", *lines[at:]])


def check_includes(root: pathlib.Path) -> list[str]:
    """All violations as text."""
    return [
        f"{path.relative_to(root)}:{line}: uses <{header}> without including it"
        for path in headers_of(root)
        for header, line in missing(path.read_text(encoding="utf-8")).items()
    ]


def main() -> int:
    arguments = [argument for argument in sys.argv[1:] if argument != "--mend"]
    root = pathlib.Path(arguments[0]) if arguments else pathlib.Path(__file__).parents[2]
    root = root.resolve()
    if "--mend" in sys.argv[1:]:
        for path in headers_of(root):
            text = path.read_text(encoding="utf-8")
            if missing(text):
                path.write_text(mended(text), encoding="utf-8")
    found = check_includes(root)
    for message in found:
        print(message, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
