"""`data get` and `data check` by the name of a task: the sets it takes, and which images its own reader misses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from compoclip.data.catalog import Entry, entries
from compoclip.data.checking import NAMED, check_entry
from compoclip.data.getting import get
from compoclip.errors import InputError
from compoclip.evaluation.locations import noting_absent
from compoclip.evaluation.task import DataMissing, TaskOptions
from compoclip.evaluation.tasks import TASKS


def is_task(name: str) -> bool:
    return name in TASKS or name.replace("-", "_") in TASKS


def sets_of(task: str) -> list[Entry]:
    """The named sets of a task, without the photos they share with others (`needs`)."""
    return TASKS[task.replace("-", "_")].entries()


def get_task(task: str, root: str | Path, keep_archives: bool = False) -> dict[str, Any]:
    """Fetch what may be fetched of a task's sets, and say of each other what stands in the way.

    {task, sets: [what `get` returns, or {name, by_hand}], made: [...], needs}. Raises InputError where nothing may be
    fetched, or the task takes data of one's own; RunError where fetching fails.
    """
    name = task.replace("-", "_")
    if not TASKS[name].data:
        raise InputError(f"{name} measures your own data, or what the package draws; it takes {TASKS[name].needs}")
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
    prepare = TASKS[name].prepare
    made = prepare(Path(root)) if prepare is not None else []
    return {"task": name, "sets": done, "made": made, "needs": _needs(name, Path(root))}


def _needs(task: str, root: Path) -> list[dict[str, Any]]:
    """Sets of photos that the task's sets share with others, and whether they are there."""
    names = dict.fromkeys(other for chosen in sets_of(task) for other in chosen.needs)
    return [{"name": n, "complete": check_entry(n, root)["complete"], "size": entries()[n].size} for n in names]


def check_task(task: str, root: str | Path) -> dict[str, Any]:
    """What a task's reader finds below `root`.

    {task, root, complete, subsets: {name: {rows, missing}}, missing_images: {count, first}, absent: [subset],
    absent_rows: {subset: rows fewer than published}, problem, sets, needs, hint}.
    Raises InputError for data that is there and broken.
    """
    name, root = task.replace("-", "_"), Path(root)
    task_of, problem, subsets = TASKS[name], None, {}
    absent: dict[str, Any] = {"sets": list(task_of.parts)} if task_of.parts and not task_of.own else {}
    with noting_absent() as names:
        try:
            loaded = task_of.load(TaskOptions(root))
        except DataMissing as error:
            problem = str(error)
        else:
            absent = task_of.absent(loaded)
            problem = "; ".join(loaded.found.get("unread", ())) or None
            for subset in loaded.subsets:
                rows = len(getattr(subset, "images", ()))
                subsets[subset.name] = {"rows": rows, "missing": getattr(subset, "missing", 0)}
    brief = ("name", "complete", "missing", "hint")
    checked = [check_entry(chosen, root) for chosen in sets_of(name)]
    sets, needs = [{key: report[key] for key in brief} for report in checked], _needs(name, root)
    missing = sum(s["missing"] for s in subsets.values())
    complete = problem is None and not absent
    hint = ""
    if not complete:
        ways = [s["hint"] for s in sets if s["hint"]] + [
            f"compoclip data get {n['name']}" for n in needs if not n["complete"]
        ]
        hint = "; ".join(ways) or f"it takes {task_of.facts()['needs']}"
    return {
        "task": name,
        "root": str(root),
        "complete": complete,
        "subsets": subsets,
        "missing_rows": missing,
        "missing_images": {"count": len(names), "first": list(names)[:NAMED]},
        "absent": absent.get("sets", []),
        "absent_rows": absent.get("rows", {}),
        "problem": problem,
        "sets": sets,
        "needs": needs,
        "hint": hint,
    }
