"""The `blend` command: one blended model as a folder, or the curve between two models and the point a rule picks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from compoclip.errors import InputError
from compoclip.evaluation import evaluate
from compoclip.io import write_json
from compoclip.models import Model, save
from compoclip.models.blend import blend, soup
from compoclip.progress import track

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
    """Write (1 - alpha) base + alpha tuned as an open_clip folder."""
    start, end = opened(base, [tuned] if isinstance(tuned, str) else tuned)
    return write_blend(blend(start, end, alpha), out)


def write_blend(model: Model, out: Path) -> Path:
    """An open_clip folder with a model card that states the blend."""
    from compoclip.export.card import write_card
    from compoclip.export.convert import open_clip_equality
    from compoclip.export.fingerprint import fingerprint

    save(model, out)
    facts = {
        "name": out.name,
        "found": {"activation": (model.info["activation"], "its parts'")},
        "fingerprint": fingerprint(model),
        "equality": open_clip_equality(model, out).as_dict(),
        "blend": {**model.info.get("blend", {}), **({"soup": model.info["soup"]} if "soup" in model.info else {})},
    }
    write_card(out, "open_clip", facts, None, model.info.get("blend", {}).get("base"))
    return out


def sweep(
    base: Model,
    tuned: Model,
    tasks: str,
    data_root: Path | None,
    alphas: Sequence[float] = SWEEP,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """`{"alpha", "summary"}` of every blend, alpha 0 being the base."""
    rows = []
    for alpha in track(alphas, "blending"):
        results = evaluate(blend(base, tuned, alpha), tasks, data_root, limit, controls=False)
        rows.append({"alpha": alpha, "summary": results["summary"]})
    return rows


def choose(rows: Sequence[dict[str, Any]], keep_zeroshot: float | None = None) -> tuple[float, str]:
    """(alpha, the rule in words): the best composition whose zero-shot is within `keep_zeroshot` points of the base's,
    or without it the best mean of both; of equals the smaller alpha.

    Raises InputError where the tasks measured no composition or no zero-shot.
    """
    points = [(row["alpha"], row["summary"].get("comp"), row["summary"].get("zeroshot")) for row in rows]
    if any(comp is None or zeroshot is None for _, comp, zeroshot in points):
        raise InputError("the rule needs tasks of both kinds, composition and zero-shot; see compoclip ls tasks")
    if keep_zeroshot is None:
        return max(points, key=lambda p: ((p[1] + p[2]) / 2, -p[0]))[0], "best mean of composition and zero-shot"
    base = next((zeroshot for alpha, _, zeroshot in points if alpha == 0.0), None)
    if base is None:
        raise InputError("the rule needs alpha 0, the base, among the blends")
    kept = [p for p in points if p[2] >= base - keep_zeroshot]
    words = f"best composition with zero-shot within {keep_zeroshot:g} points of the base"
    return max(kept, key=lambda p: (p[1], -p[0]))[0], words


def draw(rows: Sequence[dict[str, Any]], chosen: float, path: Path) -> None:
    """The curve as a picture: zero-shot to the right, composition upwards, the chosen blend marked."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4.2), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    x = [row["summary"]["zeroshot"] for row in rows]
    y = [row["summary"]["comp"] for row in rows]
    axes.plot(x, y, marker="o", color="#2b6cb0")
    for row, left, up in zip(rows, x, y):
        axes.annotate(f"{row['alpha']:g}", (left, up), textcoords="offset points", xytext=(5, 4), fontsize=8)
        if row["alpha"] == chosen:
            axes.plot([left], [up], marker="o", markersize=12, markerfacecolor="none", color="#c53030")
    axes.set_xlabel("zero-shot (%)")
    axes.set_ylabel("composition (%)")
    axes.set_title(f"blends from the base (0) to the tuned model (1); {chosen:g} chosen", fontsize=10)
    figure.savefig(path)


def sweep_to(
    base: str,
    tuned: str | Sequence[str],
    tasks: str,
    data_root: Path | None,
    out: Path,
    keep_zeroshot: float | None = None,
    limit: int | None = None,
    alphas: Sequence[float] = SWEEP,
) -> dict[str, Any]:
    """Measure the blends, draw `sweep.png`, pick one by the rule and write it as `model/`; returns `sweep.json`."""
    start, end = opened(base, [tuned] if isinstance(tuned, str) else tuned)
    rows = sweep(start, end, tasks, data_root, alphas, limit)
    alpha, rule = choose(rows, keep_zeroshot)
    facts = {"rule": rule, "alpha": alpha, "blends": rows}
    write_json(out / "sweep.json", facts)
    draw(rows, alpha, out / "sweep.png")
    mixed = blend(start, end, alpha)
    mixed.info["blend"] |= {"rule": rule, **next(r["summary"] for r in rows if r["alpha"] == alpha)}
    write_blend(mixed, out / "model")
    return facts
