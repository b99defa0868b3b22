"""Names of shards: globs, brace ranges (`train-{00000..00011}.tar`), lists joined by `::`."""

from __future__ import annotations

import glob
import os
import re
from pathlib import Path

from compoclip.errors import InputError

MAX_SHARDS = 1_000_000
_RANGE = re.compile(r"(\d+)\.\.(\d+)(?:\.\.(\d+))?")
_BRACES = re.compile(r"\{([^{}]*(?:,|\d\.\.\d)[^{}]*)\}")


def is_pattern(spec: str) -> bool:
    """Whether `spec` names several files. A file that exists under that very name is no pattern."""
    return not Path(spec).exists() and (
        any(mark in spec for mark in "*?[") or "::" in spec or bool(_BRACES.search(spec))
    )


def expand(spec: str) -> list[Path]:
    """All files a pattern names, in order.

    Raises InputError where a named shard is missing or a glob matches nothing.
    """
    paths: list[Path] = []
    for part in spec.split("::"):
        part = os.path.expanduser(part)
        for name in expand_braces(part):
            if any(mark in name for mark in "*?[") and not Path(name).exists():
                found = sorted(glob.glob(name, recursive=True))
                if not found:
                    raise InputError(f"{name}: matches no file")
                paths += map(Path, found)
            else:
                if not Path(name).is_file():
                    raise InputError(f"{name}: no such shard (from {spec})")
                paths.append(Path(name))
    unique = list(dict.fromkeys(paths))
    if len(unique) > MAX_SHARDS:
        raise InputError(f"{spec}: names {len(unique)} files; the limit is {MAX_SHARDS}")
    return unique


def expand_braces(text: str) -> list[str]:
    match = _BRACES.search(text)
    if match is None:
        return [text]
    choices = [choice for part in match[1].split(",") for choice in _range(part.strip(), text)]
    head, tail = text[: match.start()], text[match.end() :]
    return [head + choice + rest for choice in choices for rest in expand_braces(tail)]


def _range(part: str, text: str) -> list[str]:
    """`0..2` as 0, 1, 2, and `0..4..2` as 0, 2, 4; anything else as it is."""
    match = _RANGE.fullmatch(part)
    if match is None:
        return [part]
    first, last, step = match[1], match[2], int(match[3] or 1)
    low, high = int(first), int(last)
    if not 0 <= high - low < MAX_SHARDS or step < 1:
        raise InputError(f"{text}: the range {part} must go upwards and name at most {MAX_SHARDS} files")
    width = len(first) if first.startswith("0") or len(first) == len(last) else 0
    return [str(number).zfill(width) for number in range(low, high + 1, step)]
