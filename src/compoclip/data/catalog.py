"""Named data sets and benchmarks: what they are, what they may be used for, where they come from, what a copy has."""

from __future__ import annotations

from dataclasses import asdict
from difflib import get_close_matches
from functools import lru_cache
from importlib import resources
from typing import Any

import yaml
from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from compoclip.errors import InputError

KINDS = ("images", "captions", "training", "benchmark")


@dataclass(frozen=True)
class Download:
    """One file to fetch. `to` and `unpack` are below the data folder; checksum is `sha256:HEX` or `md5:HEX`."""

    url: str
    to: str
    bytes: int | None = None
    checksum: str | None = None
    unpack: str | None = None


@dataclass(frozen=True)
class Hub:
    """A repository of the Hugging Face hub to copy; `files` are patterns, none for all of it."""

    repo: str
    type: str
    to: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Archive:
    """An archive among the files of a hub's repository, and the folder it is unpacked into."""

    archive: str
    into: str


@dataclass(frozen=True)
class Expected:
    """What a complete copy contains: a path or pattern below the data folder, and how many files match it."""

    path: str
    count: int = 1


@dataclass(frozen=True)
class Entry:
    """A named set. `gate` says in words what stands in the way of a plain download; None where nothing does."""

    name: str
    title: str
    kind: str
    licence: str
    size: str
    home: str
    files: tuple[Expected, ...]
    gate: str | None = None
    fetch: tuple[Download, ...] = ()
    hub: Hub | None = None
    needs: tuple[str, ...] = ()
    note: str | None = None
    unpack: tuple[Archive, ...] = ()

    @property
    def how(self) -> str:
        """`get` where `data get` fetches it, `form` where something has to be done by hand first."""
        return "form" if self.gate and not self.fetch else "get"

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "how": self.how}


@lru_cache(maxsize=1)
def entries() -> dict[str, Entry]:
    """All named sets, by name, in the catalogue's order."""
    text = (resources.files("compoclip.data") / "catalog.yaml").read_text(encoding="utf-8")
    named = {name: {"name": name, **fields} for name, fields in yaml.safe_load(text).items()}
    return TypeAdapter(dict[str, Entry]).validate_python(named)


def entry(name: str) -> Entry:
    """One named set; `_` and `-` are the same in a name. Raises InputError with the nearest names."""
    known = entries()
    for spelt in (name, name.replace("_", "-")):
        if spelt in known:
            return known[spelt]
    near = get_close_matches(name.lower(), known, n=3, cutoff=0.4)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise InputError(f"{name}: no such data set{hint} (see `compoclip data ls`)")
