"""Subsample negatives until text alone no longer tells them from captions.

The refinement of SugarCrepe (Hsieh et al. 2023, section 4.2): every pair gets two text-only score gaps, here of a
1-3-gram classifier and of a trigram language model, and falls into a cell of a grid; opposite cells keep equally many
pairs, so that both models are right as often as wrong. A classifier learned on what is left may find something new,
so the step is repeated.

Large sets are balanced in parts of 32,768 captions, each by itself, and the classifier learns from 25,000 pairs at
most, which bounds memory and makes the time grow with the number of captions and no faster.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from compoclip.io import read_json, write_json
from compoclip.negatives.blind import Pair, accuracy, classifier_margins, language_model_margins
from compoclip.negatives.draw import Draw
from compoclip.negatives.store import MANIFEST, Row, iterate, shard_name, write_shard
from compoclip.progress import bar

CELLS = 50  # a side of the grid, as in SugarCrepe
ROUNDS = 6
GOAL = 56.0  # percent; stop when the blind classifier is at or below
PART = 32_768  # captions balanced together
LEARN = 25_000  # pairs that the classifier learns from
OVERSAMPLE = 4  # negatives made for each one wanted


def opposite_cells(gaps: np.ndarray, order: Sequence[int], cells: int = CELLS) -> np.ndarray:
    """Which pairs to keep, (N,) bool, given their score gaps (N, 2) and an order in which to prefer them.

    Gaps are scaled by their largest size and cut into `cells` x `cells`; of cell (a, b) and its mirror image as many
    are kept as the smaller has. With an even number of cells none is its own mirror image.
    """
    scale = np.abs(gaps).max(axis=0)
    scaled = gaps / np.where(scale > 0, scale, 1.0)
    cell = np.minimum(((scaled + 1) / 2 * cells).astype(int), cells - 1)
    members: dict[tuple[int, int], list[int]] = defaultdict(list)
    for i in order:
        members[int(cell[i, 0]), int(cell[i, 1])].append(i)
    kept = np.zeros(len(gaps), dtype=bool)
    for (a, b), own in members.items():
        mirror = members.get((cells - 1 - a, cells - 1 - b), ())
        kept[own[: min(len(own), len(mirror))]] = True
    return kept


def balanced(pairs: Sequence[Pair], captions: Sequence[str], key: str) -> tuple[np.ndarray, dict[str, Any]]:
    """Which pairs to keep, (N,) bool, and the blind accuracies (percent) before and after."""
    kept = np.arange(len(pairs))
    language = language_model_margins(pairs, captions)
    report: dict[str, Any] = {"before": len(pairs)}
    for step in range(ROUNDS + 1):
        if not len(kept):
            report["blind_after"] = None
            break
        margins = classifier_margins([pairs[i] for i in kept.tolist()], most=LEARN)
        figures = [round(accuracy(margins), 1), round(accuracy(language[kept]), 1)]
        report.setdefault("blind_before", figures)
        report["blind_after"] = figures
        if step == ROUNDS or max(figures) <= GOAL:
            break
        gaps = np.stack([np.tanh(margins / 4), np.tanh(language[kept])], axis=1)
        order = Draw("balance", key, step).shuffled(range(len(kept)))
        # coarser cells as fewer pairs are left, or hardly any would find a mirror image
        cells = max(4, min(CELLS, 2 * int(np.sqrt(len(kept)) // 8)))
        kept = kept[opposite_cells(gaps, order, cells)]
    chosen = np.zeros(len(pairs), dtype=bool)
    chosen[kept] = True
    report["after"] = int(chosen.sum())
    return chosen, report


def balance_build(source: Path, out: Path, per_caption: int) -> dict[str, Any]:
    """Rewrite the build `source` as a balanced one in `out`, of at most `per_caption` negatives a caption.

    Each kind is balanced by itself. The manifest's `balance` says what it cost. Returns the manifest.
    """
    manifest = read_json(source / MANIFEST)
    made: Counter[str] = Counter()
    short: Counter[str] = Counter()
    costs: list[dict[str, dict[str, Any]]] = []
    rows = _balanced_rows(source, manifest, per_caption, costs)
    for shard in range(manifest["shards"]):
        part = list(islice(rows, manifest["shard_size"]))
        made.update(negative.kind for *_, negatives in part for negative in negatives)
        short.update(str(len(negatives)) for *_, negatives in part)
        write_shard(out / shard_name(shard), part)
    captions = sum(short.values())
    covered = captions - short["0"]
    manifest |= {
        "per_caption": per_caption,
        "negatives": sum(made.values()),
        "coverage": round(covered / captions, 6),
        "made": dict(sorted(made.items())),
        "negatives_a_caption": dict(sorted(short.items())),
        "balance": _joined(costs),
    }
    for replies in source.glob("replies-*.jsonl"):  # a language model's, which were paid for
        os.replace(replies, out / replies.name)
    write_json(out / MANIFEST, manifest)
    shutil.rmtree(source)
    return dict(manifest)


def _balanced_rows(
    source: Path, manifest: dict[str, Any], per_caption: int, costs: list[dict[str, dict[str, Any]]]
) -> Iterator[Row]:
    """The rows of a build with what is kept of their negatives. What each part cost is appended to `costs`."""
    captions = int(manifest["captions"])
    parts = -(-captions // PART)
    reading, writing = iterate(source), iterate(source)
    with bar("balance", captions) as progress:
        for part in range(parts):
            size = captions * (part + 1) // parts - captions * part // parts
            kept, cost = _balance_part(islice(reading, size))
            costs.append(cost)
            progress.advance(size)
            for places, (caption_id, caption, negatives) in zip(kept, islice(writing, size)):
                left = [negatives[place] for place in places]
                yield caption_id, caption, Draw(manifest["seed"], caption_id, "balance").shuffled(left)[:per_caption]


def _balance_part(rows: Iterable[Row]) -> tuple[list[list[int]], dict[str, dict[str, Any]]]:
    """Which negatives of each row to keep, by place, and by kind what it cost."""
    places: dict[str, list[tuple[int, int]]] = defaultdict(list)
    pairs: dict[str, list[Pair]] = defaultdict(list)
    captions = set()
    kept: list[list[int]] = []
    for number, (_, caption, negatives) in enumerate(rows):
        captions.add(caption)
        kept.append([])
        for place, negative in enumerate(negatives):
            places[negative.kind].append((number, place))
            pairs[negative.kind].append((caption, negative.text))
    cost = {}
    for kind in sorted(pairs):
        chosen, cost[kind] = balanced(pairs[kind], sorted(captions), kind)
        for (number, place), good in zip(places[kind], chosen):
            if good:
                kept[number].append(place)
    return [sorted(own) for own in kept], cost


def _joined(costs: Sequence[dict[str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """What all parts cost together: sums, and means of the accuracies by the pairs that they are of."""
    if len(costs) == 1:
        return costs[0]
    found: dict[str, dict[str, Any]] = {}
    for kind in sorted({kind for cost in costs for kind in cost}):
        own = [cost[kind] for cost in costs if kind in cost]
        joined: dict[str, Any] = {"parts": len(own)}
        for when in ("before", "after"):
            joined[when] = sum(cost[when] for cost in own)
            figures = [(cost[when], cost[f"blind_{when}"]) for cost in own if cost[when] and cost[f"blind_{when}"]]
            total = sum(count for count, _ in figures)
            means = [round(sum(n * pair[i] for n, pair in figures) / total, 1) for i in (0, 1)] if total else None
            joined[f"blind_{when}"] = means
        found[kind] = joined
    return found
