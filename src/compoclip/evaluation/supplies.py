"""`data get` and `data check` by the name of a task: the sets it takes, and which images its own reader misses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from compoclip.data.catalog import Entry, entries
from compoclip.data.checking import NAMED, check_entry
from compoclip.data.getting import get
from compoclip.errors import InputError
from compoclip.evaluation.aggregate import DEGLA_SETS, DEGLA_TASK, ELEVATER
from compoclip.evaluation.places import noting_absent
from compoclip.evaluation.task import DataMissing, Request
from compoclip.evaluation.tasks import TASKS, aro, imagenet_robustness, vtab

SETS = {
    "aro": ("aro", "coco-karpathy", "flickr30k-retrieval"),
    "retrieval": ("coco-karpathy", "flickr30k-retrieval", "coco-counterfactuals"),
    "elevater": tuple(name for name in ELEVATER if name != "imagenet-1k"),
    "imagenet_robustness": imagenet_robustness.ALL,
    "vtab": vtab.NINETEEN,
    DEGLA_TASK: tuple("imagenet" if name == "imagenet-1k" else name for name in DEGLA_SETS),
}
PREPARE = {"aro": aro.prepare}  # files that are made of what was fetched
OWN = {  # tasks that no published set belongs to
    "world": "is drawn by the package and needs no data",
    "zeroshot": "measures your own labelled images",
    "linear_probe": "measures your own labelled images",
}


def is_task(name: str) -> bool:
    return name in TASKS or name.replace("-", "_") in TASKS


def sets_of(task: str) -> list[Entry]:
    """The named sets of a task, without the photos they share with others (`needs`)."""
    name = task.replace("-", "_")
    if name in OWN:
        return []
    return [entries()[own] for own in SETS.get(name, (name.replace("_", "-"),))]


def get_task(task: str, root: str | Path, keep_archives: bool = False) -> dict[str, Any]:
    """Fetch what may be fetched of a task's sets, and say of each other what stands in the way.

    {task, sets: [what `get` returns, or {name, by_hand}], made: [...], needs}. Raises InputError where nothing may be
    fetched, or the task takes data of one's own; RunError where fetching fails.
    """
    name = task.replace("-", "_")
    if name in OWN:
        raise InputError(f"{name} {OWN[name]}; it takes {TASKS[name].needs}")
    done: list[dict[str, Any]] = []
    refused: list[str] = []
    for chosen in sets_of(name):
        try:
            done.append(get(chosen, root, keep_archives))
        except InputError as error:  # a form, a gate or a licence
            refused.append(str(error))
            done.append({"name": chosen.name, "by_hand": str(error)})
    if len(refused) == len(done):
        raise InputError("; ".join(refused))
    made = PREPARE[name](Path(root)) if name in PREPARE else []
    return {"task": name, "sets": done, "made": made, "needs": _needs(name, Path(root))}


def _needs(task: str, root: Path) -> list[dict[str, Any]]:
    """Sets of photos that the task's sets share with others, and whether they are there."""
    names = dict.fromkeys(other for chosen in sets_of(task) for other in chosen.needs)
    return [{"name": n, "complete": check_entry(n, root)["complete"], "size": entries()[n].size} for n in names]


def check_task(task: str, root: str | Path) -> dict[str, Any]:
    """What a task's reader finds below `root`.

    {task, root, complete, subsets: {name: {rows, missing}}, missing_images: {count, first}, absent, problem, sets,
    needs, hint}. Raises InputError for data that is there and broken.
    """
    name, root = task.replace("-", "_"), Path(root)
    problem, subsets, absent = None, {}, []
    with noting_absent() as names:
        try:
            loaded = TASKS[name].load(Request(root))
        except DataMissing as error:
            problem = str(error)
        else:
            absent = loaded.found.get("absent", [])
            for subset in loaded.subsets:
                rows = len(getattr(subset, "images", ()))
                subsets[subset.name] = {"rows": rows, "missing": getattr(subset, "missing", 0)}
    sets = [_brief(check_entry(chosen, root)) for chosen in sets_of(name)]
    missing = sum(s["missing"] for s in subsets.values())
    complete = problem is None and not missing and not absent
    hint = ""
    if not complete:
        ways = [s["hint"] for s in sets if s["hint"]]
        ways += [f"compoclip data get {n['name']}" for n in _needs(name, root) if not n["complete"]]
        hint = "; ".join(ways) or f"it takes {TASKS[name].needs}"
    return {
        "task": name,
        "root": str(root),
        "complete": complete,
        "subsets": subsets,
        "missing_rows": missing,
        "missing_images": {"count": len(names), "first": list(names)[:NAMED]},
        "absent": absent,
        "problem": problem,
        "sets": sets,
        "needs": _needs(name, root),
        "hint": hint,
    }


def _brief(report: dict[str, Any]) -> dict[str, Any]:
    return {key: report[key] for key in ("name", "complete", "missing", "hint")}
