"""In-context examples: ours, at least fifty a kind, and a user's own, drawn anew for each request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from compoclip.errors import InputError
from compoclip.io import parse_yaml
from compoclip.negatives.draw import Draw
from compoclip.negatives.judge import normalised
from compoclip.negatives.llm.kinds import LLM_KINDS


class Example(NamedTuple):
    """A true caption and what the model should make of it."""

    caption: str
    rewrite: str


def examples(kind: str) -> list[Example]:
    """Our examples of a kind, in a fixed order. Raises InputError for an unknown kind."""
    return list(_shipped(_known(kind, "examples")))


def draw_examples(
    kind: str, seed: int, caption_id: str, k: int, n: int = 5, own: Mapping[str, Sequence[Example]] | None = None
) -> list[Example]:
    """The `n` examples that request `k` for a caption shows; they depend on (seed, caption id, kind, k) only.

    own: a user's examples (`read_examples`), which stand in for ours where they have the kind. Fewer than `n` are all
    shown. Raises InputError for an unknown kind or a negative `n`.
    """
    if n < 0:
        raise InputError(f"{n} in-context examples cannot be shown; give 0 or more")
    found = own[kind] if own and kind in own else examples(_known(kind, "examples"))
    return Draw("llm-examples", seed, caption_id, kind, k).shuffled(found)[:n]


def read_examples(path: str | Path) -> dict[str, list[Example]]:
    """A user's examples by kind, from YAML like our own: kind: [{caption: ..., rewrite: ...}, ...].

    Raises InputError, naming the file, the kind and the number of the entry, for what is no such file.
    """
    path = Path(path)
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({type(error).__name__}); give a YAML file of examples") from None
    return _parsed(text, str(path))


@cache
def _shipped(kind: str) -> tuple[Example, ...]:
    text = (resources.files("compoclip.negatives.llm") / "examples" / f"{kind}.yaml").read_text("utf-8")
    return tuple(_parsed(text, f"{kind}.yaml")[kind])


def _parsed(text: str, name: str) -> dict[str, list[Example]]:
    try:
        content = parse_yaml(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise InputError(f"{name}: is no YAML{where}; quote texts that hold a colon") from None
    if not isinstance(content, dict) or not content:
        raise InputError(f"{name}: has no kinds at its top; write `swap-nouns:` and under it a list of examples")
    return {_known(kind, name): _entries(entries, f"{name}: {kind}") for kind, entries in content.items()}


def _entries(entries: Any, where: str) -> list[Example]:
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{where} has no list of examples; write `- caption: ...` and `rewrite: ...` under it")
    found = []
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict) or set(entry) != {"caption", "rewrite"}:
            raise InputError(f"{where}, example {number}: needs `caption` and `rewrite`, and nothing else")
        for key, text in entry.items():
            if not isinstance(text, str) or not text.strip():
                raise InputError(f"{where}, example {number}: its {key} is no text; put it in quotation marks")
        if normalised(entry["caption"]) == normalised(entry["rewrite"]):
            raise InputError(f"{where}, example {number}: the rewrite says the same as the caption; change or drop it")
        found.append(Example(" ".join(entry["caption"].split()), " ".join(entry["rewrite"].split())))
    return found


def _known(kind: Any, where: str) -> str:
    if kind not in LLM_KINDS:
        known = ", ".join(LLM_KINDS)
        raise InputError(f"{where}: no kind of negatives by language model is called {kind!r}; there are {known}")
    return str(kind)
