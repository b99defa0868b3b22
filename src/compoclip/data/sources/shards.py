"""Names of shards: globs, brace ranges (`train-{00000..00011}.tar`), lists joined by `::`."""

from __future__ import annotations

import glob
import re
from pathlib import Path

from compoclip.errors import InputError

MAX_SHARDS = 1_000_000
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
_CHOICE = re.compile(r"\{([^{}]*,[^{}]*)\}")


def is_pattern(spec: str) -> bool:
    """Whether `spec` names several files. A file that exists under that very name is no pattern."""
    return not Path(spec).exists() and (any(mark in spec for mark in "*?[") or "::" in spec or bool(_braces(spec)))


def _braces(spec: str) -> re.Match[str] | None:
    return _RANGE.search(spec) or _CHOICE.search(spec)


def expand(spec: str) -> list[Path]:
    """All files a pattern names, in order.

    Raises InputError where a named shard is missing or a glob matches nothing.
    """
    paths: list[Path] = []
    for part in spec.split("::"):
        for name in _expand_braces(part):
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


def _expand_braces(text: str) -> list[str]:
    match = _braces(text)
    if match is None:
        return [text]
    if ".." in match.group(0):
        first, last = match.group(1), match.group(2)
        low, high = int(first), int(last)
        if not 0 <= high - low < MAX_SHARDS:
            raise InputError(f"{text}: the range {match.group(0)} must go upwards and name at most {MAX_SHARDS} files")
        width = len(first) if first.startswith("0") or len(first) == len(last) else 0
        choices = [str(number).zfill(width) for number in range(low, high + 1)]
    else:
        choices = match.group(1).split(",")
    head, tail = text[: match.start()], text[match.end() :]
    return [head + choice + rest for choice in choices for rest in _expand_braces(tail)]
