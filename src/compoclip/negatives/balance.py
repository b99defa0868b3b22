"""Subsample negatives until text alone no longer tells them from captions.

The refinement of SugarCrepe (Hsieh et al. 2023, section 4.2): every pair gets two text-only score gaps, here of a
1-3-gram classifier and of a trigram language model, and falls into a cell of a grid; opposite cells keep equally many
pairs, so that both models are right as often as wrong. A classifier learned on what is left may find something new,
so the step is repeated.
"""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from compoclip.io import read_json, write_json
from compoclip.negatives.blind import Pair, accuracy, classifier_margins, language_model_margins
from compoclip.negatives.draw import Draw
from compoclip.negatives.store import MANIFEST, Row, iterate, shard_name, write_shard

CELLS = 50  # a side of the grid, as in SugarCrepe
ROUNDS = 6
GOAL = 56.0  # percent; stop when the blind classifier is at or below
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
        margins = classifier_margins([pairs[i] for i in kept.tolist()])
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
    rows = list(iterate(source))
    places: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for number, (_, _, negatives) in enumerate(rows):
        for place, negative in enumerate(negatives):
            places[negative.kind].append((number, place))
    captions = sorted({caption for _, caption, _ in rows})
    keep: set[tuple[int, int]] = set()
    cost = {}
    for kind, where in sorted(places.items()):
        pairs = [(rows[number][1], rows[number][2][place].text) for number, place in where]
        chosen, cost[kind] = balanced(pairs, captions, kind)
        keep.update(spot for spot, good in zip(where, chosen) if good)
    manifest = read_json(source / MANIFEST)
    made: Counter[str] = Counter()
    size = manifest["shard_size"]
    short: Counter[str] = Counter()
    for shard in range(manifest["shards"]):
        part: list[Row] = []
        for number in range(shard * size, min((shard + 1) * size, len(rows))):
            caption_id, caption, negatives = rows[number]
            left = [n for place, n in enumerate(negatives) if (number, place) in keep]
            chosen_here = Draw(manifest["seed"], caption_id, "balance").shuffled(left)[:per_caption]
            made.update(negative.kind for negative in chosen_here)
            short[str(len(chosen_here))] += 1
            part.append((caption_id, caption, chosen_here))
        write_shard(out / shard_name(shard), part)
    covered = len(rows) - short["0"]
    manifest |= {
        "per_caption": per_caption,
        "negatives": sum(made.values()),
        "coverage": round(covered / len(rows), 6),
        "made": dict(sorted(made.items())),
        "negatives_a_caption": dict(sorted(short.items())),
        "balance": cost,
    }
    write_json(out / MANIFEST, manifest)
    shutil.rmtree(source)
    return dict(manifest)
