"""What is in a build: counts, coverage, faults, blind solvability, samples."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

from compoclip.io import read_json
from compoclip.language.inflect import indefinite_article
from compoclip.language.lexicon import is_blocked
from compoclip.negatives.blind import blind, tokens
from compoclip.negatives.draw import Draw
from compoclip.negatives.gates import normalised
from compoclip.negatives.store import MANIFEST, Row, iterate
from compoclip.negatives.types import Negative

BLIND_LIMIT = 5000  # pairs a kind that the blind models see
_SAMPLES = 3


def inspect(folder: str | Path, blind_limit: int = BLIND_LIMIT, samples: int = _SAMPLES) -> dict[str, Any]:
    """Measure a build. Percentages are 0 to 100.

    Returns `captions`, `negatives`, `coverage`, and by kind under `kinds`: `n`, `coverage`, `equal_to_caption`,
    `duplicates`, `blocked_words`, `new_article_errors`, `mean_edited_words`, `length_gap` (mean characters longer than
    the caption), `blind_classifier`, `blind_single`,
    `blind_language_model`, `samples`. `blind_limit` 0 leaves the blind models out.
    Raises InputError where the folder holds no finished build.
    """
    rows = list(iterate(folder))
    manifest = read_json(Path(folder) / MANIFEST)
    by_kind: dict[str, list[tuple[str, Negative]]] = defaultdict(list)
    covered: dict[str, set[str]] = defaultdict(set)
    for caption_id, caption, negatives in rows:
        for negative in negatives:
            by_kind[negative.kind].append((caption, negative))
            covered[negative.kind].add(caption_id)
    captions = [caption for _, caption, _ in rows]
    kinds = {}
    for kind in sorted(by_kind):
        kinds[kind] = _measure(by_kind[kind])
        kinds[kind]["coverage"] = 100 * len(covered[kind]) / len(rows)
        chosen = Draw("inspect", kind).shuffled(by_kind[kind])
        if blind_limit:
            report = blind([(caption, negative.text) for caption, negative in chosen[:blind_limit]], captions)
            kinds[kind]["blind_classifier"] = round(report.classifier, 1)
            kinds[kind]["blind_single"] = round(report.single, 1)
            kinds[kind]["blind_language_model"] = round(report.language_model, 1)
            kinds[kind]["shorter_is_true"] = round(report.shorter, 1)
        kinds[kind]["samples"] = [[caption, negative.text] for caption, negative in chosen[:samples]]
    with_any = sum(bool(negatives) for *_, negatives in rows)
    return {
        "folder": str(folder),
        "captions": len(rows),
        "negatives": sum(len(found) for found in by_kind.values()),
        "coverage": 100 * with_any / len(rows) if rows else 0.0,
        "duplicates": _duplicates(rows),
        "kinds": kinds,
        "refused": manifest.get("refused", {}),
        "manifest": {key: manifest.get(key) for key in ("kinds", "per_caption", "seed", "epoch", "versions")},
    }


def _duplicates(rows: list[Row]) -> int:
    return sum(len(found) - len({normalised(n.text) for n in found}) for *_, found in rows)


def _measure(pairs: list[tuple[str, Negative]]) -> dict[str, Any]:
    count: Counter[str] = Counter()
    for caption, negative in pairs:
        own, new = tokens(caption), tokens(negative.text)
        count["equal"] += normalised(caption) == normalised(negative.text)
        count["blocked"] += any(is_blocked(word) for word in set(new) - set(own))
        count["articles"] += bool(article_errors(negative.text) - article_errors(caption))
        count["edited"] += sum((Counter(new) - Counter(own)).values()) or sum(a != b for a, b in zip(own, new))
        count["longer"] += len(negative.text) - len(caption)
    n = len(pairs)
    return {
        "n": n,
        "equal_to_caption": count["equal"],
        "blocked_words": count["blocked"],
        "new_article_errors": round(100 * count["articles"] / n, 3),
        "mean_edited_words": round(count["edited"] / n, 2),
        "length_gap": round(count["longer"] / n, 2),
    }


def article_errors(text: str) -> set[tuple[str, str]]:
    """("a", "apple") for each "a" that should be "an" and the other way round."""
    words = re.findall(r"[\w'-]+|[^\w\s]", text.lower())
    return {
        (article, word)
        for article, word in pairwise(words)
        if article in ("a", "an") and word[0].isalnum() and indefinite_article(word) != article
    }


def render(report: dict[str, Any]) -> Any:
    """The report as a rich renderable for the terminal."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(title=f"{report['folder']}: {report['negatives']} negatives of {report['captions']} captions")
    table.add_column("kind")
    for heading in (
        "n",
        "coverage %",
        "= caption",
        "a/an errors %",
        "words edited",
        "longer by",
        "blind %",
        "one text %",
        "LM %",
    ):
        table.add_column(heading, justify="right")
    for kind, m in report["kinds"].items():
        table.add_row(
            kind,
            str(m["n"]),
            f"{m['coverage']:.1f}",
            str(m["equal_to_caption"]),
            f"{m['new_article_errors']:.2f}",
            f"{m['mean_edited_words']:.1f}",
            f"{m['length_gap']:+.1f}",
            str(m.get("blind_classifier", "")),
            str(m.get("blind_single", "")),
            str(m.get("blind_language_model", "")),
        )
    note = Text(
        f"{report['coverage']:.2f} % of captions have a negative; {report['duplicates']} duplicates. "
        "blind, LM: how often text alone picks the true caption of a pair, by a 1-3-gram classifier and a trigram "
        "model; one text: how often a classifier tells a text by itself. 50 is best.\n"
    )
    samples = Text()
    for kind, m in report["kinds"].items():
        for caption, text in m["samples"]:
            samples.append(f"{kind}\n", style="bold")
            samples.append(f"  {caption}\n  {text}\n")
    return Group(table, note, samples)
