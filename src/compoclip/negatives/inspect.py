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
from compoclip.negatives.blind import Pair, blind, tokens
from compoclip.negatives.judge import normalised
from compoclip.negatives.sample import BottomKSample
from compoclip.negatives.store import MANIFEST, iterate
from compoclip.negatives.types import Negative

BLIND_LIMIT = 5000  # pairs a kind that the blind models see
CAPTION_LIMIT = 50_000  # captions that the language model learns from
_SAMPLES = 3


class _Measured:
    """What is counted of one kind, one negative at a time, and the pairs for the blind models."""

    def __init__(self, size: int) -> None:
        self.n = self.covered = 0
        self.count: Counter[str] = Counter()
        self.pairs: BottomKSample[Pair] = BottomKSample(size)

    def add(self, caption_id: str, caption: str, negative: Negative) -> None:
        own, new = tokens(caption), tokens(negative.text)
        count = self.count
        count["equal"] += normalised(caption) == normalised(negative.text)
        count["blocked"] += any(is_blocked(word) for word in set(new) - set(own))
        count["articles"] += bool(article_errors(negative.text) - article_errors(caption))
        count["edited"] += sum((Counter(new) - Counter(own)).values()) or sum(a != b for a, b in zip(own, new))
        count["longer"] += len(negative.text) - len(caption)
        self.n += 1
        self.pairs.offer(f"{caption_id}\x1f{negative.text}", (caption, negative.text))

    def report(self) -> dict[str, Any]:
        return {
            "n": self.n,
            "equal_to_caption": self.count["equal"],
            "blocked_words": self.count["blocked"],
            "new_article_errors": round(100 * self.count["articles"] / self.n, 3),
            "mean_edited_words": round(self.count["edited"] / self.n, 2),
            "length_gap": round(self.count["longer"] / self.n, 2),
        }


def inspect(folder: str | Path, blind_limit: int = BLIND_LIMIT, samples: int = _SAMPLES) -> dict[str, Any]:
    """Measure a build, shard by shard. Percentages are 0 to 100.

    Returns `captions`, `negatives`, `coverage`, and by kind under `kinds`: `n`, `coverage`, `equal_to_caption`,
    `duplicates`, `blocked_words`, `new_article_errors`, `mean_edited_words`, `length_gap` (mean characters longer than
    the caption), `blind_classifier`, `blind_single`, `blind_language_model`, `samples`. The blind models see
    `blind_limit` pairs a kind and the language model 50,000 captions, both drawn by hash; 0 leaves them out.
    Raises InputError where the folder contains no finished build.
    """
    measured: defaultdict[str, _Measured] = defaultdict(lambda: _Measured(max(blind_limit, samples)))
    captions: BottomKSample[str] = BottomKSample(CAPTION_LIMIT if blind_limit else 0)
    rows = covered = duplicates = 0
    for caption_id, caption, negatives in iterate(folder):
        rows += 1
        covered += bool(negatives)
        duplicates += len(negatives) - len({normalised(negative.text) for negative in negatives})
        captions.offer(caption_id, caption)
        for negative in negatives:
            measured[negative.kind].add(caption_id, caption, negative)
        for kind in {negative.kind for negative in negatives}:
            measured[kind].covered += 1
    manifest = read_json(Path(folder) / MANIFEST)
    kinds = {}
    for kind in sorted(measured):
        pairs = measured[kind].pairs.items()
        kinds[kind] = measured[kind].report() | {"coverage": 100 * measured[kind].covered / rows}
        if blind_limit:
            report = blind(pairs[:blind_limit], captions.items())
            kinds[kind]["blind_classifier"] = round(report.classifier, 1)
            kinds[kind]["blind_single"] = round(report.single, 1)
            kinds[kind]["blind_language_model"] = round(report.language_model, 1)
            kinds[kind]["shorter_is_true"] = round(report.shorter, 1)
        kinds[kind]["samples"] = [list(pair) for pair in pairs[:samples]]
    return {
        "folder": str(folder),
        "captions": rows,
        "negatives": sum(found.n for found in measured.values()),
        "coverage": 100 * covered / rows if rows else 0.0,
        "duplicates": duplicates,
        "kinds": kinds,
        "refused": manifest.get("refused", {}),
        "manifest": {key: manifest.get(key) for key in ("kinds", "per_caption", "seed", "epoch", "versions")},
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
    """The report as a rich renderable that fits 80 columns: a line a kind, what the columns mean, and samples."""
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    title = f"{report['folder']}: {report['negatives']:,} negatives of {report['captions']:,} captions"
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    table.add_column("kind", no_wrap=True)
    for heading in ("n", "cover", "a/an", "words", "chars", "blind", "one", "LM"):
        table.add_column(heading, justify="right", no_wrap=True)
    for kind, m in report["kinds"].items():
        table.add_row(
            Text(kind),
            f"{m['n']:,}",
            f"{m['coverage']:.1f}",
            f"{m['new_article_errors']:.2f}",
            f"{m['mean_edited_words']:.1f}",
            f"{m['length_gap']:+.1f}",
            *(str(m.get(f"blind_{name}", "–")) for name in ("classifier", "single", "language_model")),
        )
    equal = sum(m["equal_to_caption"] for m in report["kinds"].values())
    notes = [
        f"{report['coverage']:.2f} % of captions have a negative; {report['duplicates']} duplicates, {equal} equal to "
        "their caption.",
        "cover: % of captions with one of the kind. a/an: % with a wrong article. words: edited, on average.",
        "chars: how much longer than the caption, on average. blind, LM: % of pairs whose true caption text alone",
        "picks (1-3-gram classifier, trigram model); one: % of texts a classifier tells by themselves. 50 is best.",
    ]
    samples = Text()
    for kind, m in report["kinds"].items():
        samples.append(f"\n{kind}\n", style="bold")
        for caption, text in m["samples"]:
            samples.append(f"  + {caption}\n  - {text}\n")
    return Group(Text(title, style="bold"), table, Text(" ".join(notes)), samples)
