"""The `blend` command: one blended model as a folder, or the curve between two models and the point a rule picks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from compoclip.errors import InputError
from compoclip.evaluation import evaluate
from compoclip.io import write_json
from compoclip.models import Model, save
from compoclip.models.blend import blend, soup
from compoclip.progress import track
from compoclip.training.heldout_run import with_heldout

__all__ = ["blend_to", "choose", "measured", "sweep", "sweep_to"]

SPAN = 10.0  # points that an axis of the curve shows at least
SWEEP = tuple(i / 10 for i in range(11))


def opened(base: str, tuned: Sequence[str]) -> tuple[Model, Model]:
    """The base, and the fine-tune or the soup of several: folders, checkpoints (LoRA merged), adapters."""
    from compoclip.export.source import open_source

    start, _ = open_source(base)
    return start, soup([_tuned(name, base) for name in tuned]) if len(tuned) > 1 else _tuned(tuned[0], base)


def _tuned(name: str, base: str) -> Model:
    from compoclip.export.source import open_source

    alone = Path(name).is_file() or (Path(name) / "adapter_config.json").is_file()
    return open_source(name, base=base if alone else None)[0]


def blend_to(base: str, tuned: str | Sequence[str], alpha: float, out: Path) -> Path:
    """Write (1 - alpha) base + alpha tuned as an open_clip folder.

    base and tuned: names as `compoclip.load` takes them, or several tuned runs for a soup; `out` is the folder.
    Raises InputError where they are not of one architecture.

    Example: blend_to("tiny", "runs/fsc", 0.5, Path("blended"))
    """
    names = [tuned] if isinstance(tuned, str) else list(tuned)
    start, end = opened(base, names)
    return write_blend(blend(start, end, alpha), out, names)


def write_blend(model: Model, out: Path, tuned: Sequence[str], results: dict[str, Any] | None = None) -> Path:
    """An open_clip folder with a model card: the blend, how its first fine-tune was trained, and its own `results`."""
    from compoclip.export.card import run_of, write_card
    from compoclip.export.fingerprint import fingerprint
    from compoclip.export.formats import FORMATS
    from compoclip.export.open_clip_folder import check

    save(model, out)
    facts = {
        "name": out.name,
        "found": {"activation": (model.info["activation"], "its parts'")},
        "fingerprint": fingerprint(model),
        "equality": check(model, out).as_dict(),
        "blend": {**model.info.get("blend", {}), **({"soup": model.info["soup"]} if "soup" in model.info else {})},
    }
    run = run_of(Path(tuned[0])) if Path(tuned[0]).exists() else {}
    facts["run"] = {**run, "results": results}  # the fine-tune's own figures are not the blend's
    write_card(out, FORMATS["open_clip"], facts, None, model.info.get("blend", {}).get("base"))
    return out


def sweep(
    base: Model,
    tuned: Model,
    tasks: str,
    data_root: Path | None,
    alphas: Sequence[float] = SWEEP,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """`{"alpha", "summary"}` of every blend, alpha 0 being the base.

    tuned, tasks, data_root, alphas, limit: as `measured` takes them.

    Example: sweep(load("tiny"), load("runs/fsc"), "world", None, alphas=(0.0, 0.5, 1.0), limit=100)
    """
    found = measured(base, tuned, tasks, data_root, alphas, limit)
    return [{"alpha": alpha, "summary": results["summary"]} for alpha, results in found]


def measured(
    base: Model,
    tuned: Model,
    tasks: str,
    data_root: Path | None,
    alphas: Sequence[float],
    limit: int | None,
    run: Path | None = None,
) -> Iterator[tuple[float, dict[str, Any]]]:
    """(alpha, results) of every blend. run: the run directory whose held-out rows the task `heldout` asks about.

    base, tuned: models of one architecture; tasks, data_root, limit: as `evaluate` takes them; alphas: shares of
    the tuned weights, 0 to 1.

    Example: dict(measured(base, tuned, "heldout", None, (0.0, 0.5, 1.0), limit=None, run=Path("runs/fsc")))
    """
    names, extra = with_heldout(tasks, run)
    for alpha in track(alphas, "blending"):
        yield alpha, evaluate(blend(base, tuned, alpha), names, data_root, limit, controls=False, extra=extra)


def kept(summary: dict[str, Any]) -> tuple[str, Any]:
    """What fine-tuning may cost, by name and in percent: zero-shot, or retrieval both ways where that was measured."""
    ways = [value for key in ("i2t", "t2i") if (value := summary.get(key)) is not None]
    if summary.get("zeroshot") is not None or not ways:
        return "zero-shot", summary.get("zeroshot")
    return "retrieval", sum(ways) / len(ways)


def choose(rows: Sequence[dict[str, Any]], keep_zeroshot: float | None = None) -> tuple[float, str]:
    """(alpha, the rule in words): the best composition whose zero-shot is within `keep_zeroshot` points of the base's,
    or without it the best mean of both; of equals the smaller alpha. Retrieval stands in where no zero-shot was
    measured, as on a run's held-out images.

    Raises InputError where the tasks measured no composition or neither of the others.

    rows: what `sweep` returns.

    Example: choose(sweep(base, tuned, "world", None), keep_zeroshot=1.0)
    """
    points = [(row["alpha"], row["summary"].get("comp"), kept(row["summary"])[1]) for row in rows]
    if any(comp is None or other is None for _, comp, other in points):
        raise InputError(
            "the rule needs tasks of both kinds, composition and zero-shot (or retrieval); see compoclip ls tasks"
        )
    name = kept(rows[0]["summary"])[0]
    if keep_zeroshot is None:
        return max(points, key=lambda p: ((p[1] + p[2]) / 2, -p[0]))[0], f"best mean of composition and {name}"
    base = next((zeroshot for alpha, _, zeroshot in points if alpha == 0.0), None)
    if base is None:
        raise InputError("the rule needs alpha 0, the base, among the blends")
    near = [p for p in points if p[2] >= base - keep_zeroshot]
    words = f"best composition with {name} within {keep_zeroshot:g} points of the base"
    return max(near, key=lambda p: (p[1], -p[0]))[0], words


def draw(rows: Sequence[dict[str, Any]], chosen: float, path: Path, keep_zeroshot: float | None = None) -> None:
    """The curve as an image: zero-shot to the right, composition upwards, the chosen blend and the bound marked.

    Each axis spans at least `SPAN` points, so that noise does not look like a difference.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4.2), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    x = [kept(row["summary"])[1] for row in rows]
    y = [row["summary"]["comp"] for row in rows]
    axes.plot(x, y, marker="o", color="#2b6cb0")
    for row, left, up in zip(rows, x, y):
        if row["alpha"] == chosen:
            axes.plot([left], [up], marker="o", markersize=12, markerfacecolor="none", color="#c53030")
    base = next((kept(row["summary"])[1] for row in rows if row["alpha"] == 0.0), None)
    if keep_zeroshot is not None and base is not None:
        axes.axvline(base - keep_zeroshot, color="#c53030", linestyle="--", linewidth=1)
        words = f"{keep_zeroshot:g} below the base's"
        axes.annotate(words, (base - keep_zeroshot, 0.98), xycoords=("data", "axes fraction"), fontsize=8, rotation=90,
                      ha="right", va="top", color="#c53030")  # fmt: skip
    for limits, set_limits in ((axes.get_xlim(), axes.set_xlim), (axes.get_ylim(), axes.set_ylim)):
        missing = max(0.0, SPAN - (limits[1] - limits[0])) / 2
        set_limits(limits[0] - missing, limits[1] + missing)
    axes.set_xlabel(f"{kept(rows[0]['summary'])[0]} (%)")
    axes.set_ylabel("composition (%)")
    what = "the base itself" if chosen == 0 else f"{chosen:g}"
    axes.set_title(f"blends from the base (0) to the tuned model (1); chosen: {what}", fontsize=10)
    figure.draw_without_rendering()  # where points and texts lie is known from here on
    _named(axes, [(f"{row['alpha']:g}", left, up) for row, left, up in zip(rows, x, y)])
    figure.savefig(path)


def _named(axes: Any, points: Sequence[tuple[str, float, float]]) -> None:
    """Write a name beside every point, at the first place around it that covers neither a line nor another name."""
    around = [
        (7, 5),
        (-7, 5),
        (7, -5),
        (-7, -5),
        (0, 10),
        (0, -10),
        *((0, s * d) for d in (20, 30, 40) for s in (1, -1)),
    ]
    paths = [line.get_path().interpolated(20).vertices for line in axes.lines]
    spots = np.concatenate([line.get_transform().transform(path) for line, path in zip(axes.lines, paths)])
    taken: list[Any] = []
    for name, left, up in points:
        for right, above in around:
            align = {"ha": "left" if right > 0 else "right" if right else "center"}
            align["va"] = "bottom" if above > 0 else "top"
            words = axes.annotate(name, (left, up), (right, above), textcoords="offset points", fontsize=8, **align)
            box = words.get_window_extent()
            inside = axes.bbox.contains(*box.min) and axes.bbox.contains(*box.max)
            if inside and not box.count_contains(spots) and not box.count_overlaps(taken):
                break
            words.remove()
        else:
            words = axes.annotate(name, (left, up), around[0], textcoords="offset points", fontsize=8)
            box = words.get_window_extent()
        taken.append(box)


def sweep_to(
    base: str,
    tuned: str | Sequence[str],
    tasks: str,
    data_root: Path | None,
    out: Path,
    keep_zeroshot: float | None = None,
    limit: int | None = None,
    alphas: Sequence[float] = SWEEP,
    run: Path | None = None,
) -> dict[str, Any]:
    """Measure the blends, draw `sweep.png`, pick one by the rule and write it as `model/`; returns `sweep.json`.

    base, tuned: names of models; tasks, data_root, limit, alphas, run: as `measured` takes them; `out` is the folder;
    keep_zeroshot: points that `choose` may give up.

    Example: sweep_to("tiny", "runs/fsc", "heldout", None, Path("blended"), run=Path("runs/fsc"))
    """
    names = [tuned] if isinstance(tuned, str) else list(tuned)
    start, end = opened(base, names)
    found = dict(measured(start, end, tasks, data_root, alphas, limit, run))
    rows = [{"alpha": alpha, "summary": results["summary"]} for alpha, results in found.items()]
    alpha, rule = choose(rows, keep_zeroshot)
    facts = {"rule": rule, "alpha": alpha, "blends": rows}
    write_json(out / "sweep.json", facts)
    draw(rows, alpha, out / "sweep.png", keep_zeroshot)
    mixed = blend(start, end, alpha)
    mixed.info["blend"] |= {"rule": rule, **next(r["summary"] for r in rows if r["alpha"] == alpha)}
    write_blend(mixed, out / "model", names, found[alpha])
    return facts
