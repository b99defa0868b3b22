"""How surely text alone tells each negative of a build from a caption: a further score beside plausibility.

A classifier of 1-3-grams that has not read the caption says it as log-odds (nats): 0 where the text could be either,
above where it reads like a negative. Rows drawn with exp(-log-odds) are such as captions are, in the classifier's eyes
(importance weights; Sugiyama et al. 2012, chapter 4). Unlike plausibility it asks what *this build's* negatives give
themselves away by, and it is said of a language model's as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from compoclip.io import write_bytes
from compoclip.negatives.blind import Pair, features, fold_of, log_odds, single_models
from compoclip.negatives.sample import BottomKSample
from compoclip.negatives.store import read_shard, shard_name, table_bytes
from compoclip.progress import bar

LEARN = 10_000  # pairs that the classifiers learn from
STEPS = 20  # of Newton's method, for one number


def score_build(out: Path, count: int) -> None:
    """Write the score into every shard of a build that has no manifest yet.

    count: its shards. Scores depend on the build's texts alone, so that a run that is killed and taken up again, other
    shard sizes and numbers of workers end in equal bytes.
    """
    sample: BottomKSample[Pair] = BottomKSample(LEARN)
    for number in range(count):
        for caption_id, caption, negatives in read_shard(out / shard_name(number)):
            for negative in negatives:
                sample.offer(f"{caption_id}\x1f{negative.text}", (caption, negative.text))
    models, scale = learn(sample.items())
    with bar("text-only scores", count) as progress:
        for number in range(count):
            _score_shard(out / shard_name(number), models, scale)
            progress.advance(1)


def learn(pairs: Sequence[Pair]) -> tuple[list[np.ndarray], float]:
    """Classifiers of which each has not read one fifth of the captions, and the factor that calibrates them."""
    models = single_models(pairs)
    held = [log_odds(models[fold_of(pair[0])], features(pair[k])) for k in (0, 1) for pair in pairs]
    return models, calibrated(np.array(held), np.repeat([1.0, 0.0], len(pairs)))


def calibrated(scores: np.ndarray, true: np.ndarray) -> float:
    """The factor, at least 0, of scores (N,) at which their logistic function fits `true` (N,), 0 or 1, best."""
    factor = 0.0
    for _ in range(STEPS):
        said = 1 / (1 + np.exp(-np.clip(factor * scores, -30, 30)))
        slope, bend = ((true - said) * scores).sum(), (said * (1 - said) * scores**2).sum()
        factor = max(0.0, factor + slope / bend) if bend > 0 else factor
    return float(factor)


def _score_shard(path: Path, models: Sequence[np.ndarray], scale: float) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    place = table.schema.get_field_index("negatives")
    rows: list[list[dict[str, Any]]] = table.column(place).to_pylist()
    for caption, negatives in zip(table.column("caption").to_pylist(), rows):
        for negative in negatives:
            odds = -scale * log_odds(models[fold_of(caption)], features(negative["text"]))
            negative["text_only"] = round(odds, 2) + 0.0
    said = table.schema.field(place)
    write_bytes(path, table_bytes(table.set_column(place, said, pa.array(rows, type=said.type))))
