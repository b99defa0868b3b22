"""What a plan fetches: the named sets of training and evaluation and what they need, how many bytes, and the base."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from compoclip.data.catalog import Entry, entries
from compoclip.data.training_sets import training_sets
from compoclip.evaluation.tasks import TASKS

MILLIONS = {"ViT-B-32": 151, "ViT-B-16": 150, "ViT-L-14": 428, "tiny": 1}  # of weights
BASES = {"openai": (2, "MIT"), "datacomp_xl_s13b_b90k": (4, "MIT")}  # bytes a weight as published, licence


def training_entries(name: str | None) -> list[Entry]:
    """The catalogue's sets of a training set."""
    return [entries()[part] for part in training_sets()[name]["parts"]] if name else []


def evaluation_entries(tasks: Sequence[str]) -> list[Entry]:
    """The catalogue's sets of tasks, and behind them those whose photos they need, each once."""
    own = [entry for task in tasks for entry in TASKS[task].entries()]
    return _with_needs(own)


def _with_needs(chosen: Iterable[Entry]) -> list[Entry]:
    found: dict[str, Entry] = {}
    todo = list(chosen)
    while todo:
        entry = todo.pop(0)
        if entry.name not in found:
            found[entry.name] = entry
            todo += [entries()[name] for name in entry.needs]
    return list(found.values())


def described(entry: Entry) -> str:
    gate = f"; by hand: {entry.gate}" if entry.gate else ""
    return f"{entry.name}: {entry.size}; licence: {entry.licence}; {entry.home}{gate}"


def total(chosen: Iterable[Entry]) -> str:
    """The bytes of all files whose makers or servers state them, and the sets of which they do not.

    >>> total([entries()["coco-val2017"]])
    '0.8 GB in 1 files'
    """
    once = {entry.name: entry for entry in chosen}.values()
    files = [item for entry in once for item in entry.fetch]
    stated = [item.bytes for item in files if item.bytes is not None]
    unknown = [e.name for e in once if not e.fetch or any(item.bytes is None for item in e.fetch)]
    text = f"{sum(stated) / 1e9:.1f} GB in {len(stated)} files"
    return f"{text}; beside them, of a size not stated to the byte: {', '.join(unknown)}" if unknown else text


def base(model_name: str) -> str:
    """The weights that training starts from: about how large, and their licence; empty where nothing is fetched."""
    architecture, _, tag = model_name.partition(":")
    if tag not in BASES or architecture not in MILLIONS:
        return ""
    size, licence = BASES[tag]
    return f"{model_name}: about {MILLIONS[architecture] * size / 1000:.1f} GB; licence: {licence}"
