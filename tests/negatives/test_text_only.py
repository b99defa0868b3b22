"""Each negative's text-only score: high where the text gives itself away, the same whatever the shards or stops."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from compoclip.config import BuildConfig
from compoclip.negatives import text_only
from compoclip.negatives.build import build
from compoclip.negatives.store import iterate

CAPTIONS = [f"a {a} {n} stands near a {b} {m}" for a in ("red", "blue", "green", "white") for b in ("big", "old", "wet")
            for n in ("dog", "cat", "man") for m in ("bus", "tree", "house", "boat")]  # fmt: skip
KINDS = "negation,attribute-colour"


def made(folder: Path, name: str, **given: object) -> Path:
    build(folder / "a.txt", folder / name, KINDS, 2, text_only=True, **given)
    return folder / name


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    (tmp_path / "a.txt").write_text("\n".join(CAPTIONS))
    return made(tmp_path, "whole")


def scores(folder: Path) -> dict[tuple[str, str], float]:
    return {(caption, n.text): n.text_only for _, caption, found in iterate(folder) for n in found}


def test_what_gives_itself_away_scores_high(whole: Path) -> None:
    said, unsaid, denied = [], [], []
    for _, _, found in iterate(whole):
        for negative in found:
            assert negative.text_only is not None
            known = set(negative.text.split()) <= {word for caption in CAPTIONS for word in caption.split()}
            (denied if negative.kind == "negation" else said if known else unsaid).append(negative.text_only)
    assert np.mean(denied) > np.mean(said) + 1  # "not", "no" and "without": no caption says them
    assert np.mean(unsaid) > np.mean(said) + 1  # nor "orange"


def test_scores_are_equal_for_other_shards_and_after_a_kill(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert scores(made(whole.parent, "cut", shard_size=50)) == scores(whole)
    real, done = text_only._score_shard, []

    def dies(*given: object) -> None:
        if done:
            raise KeyboardInterrupt
        done.append(real(*given))

    monkeypatch.setattr(text_only, "_score_shard", dies)
    with pytest.raises(KeyboardInterrupt):
        made(whole.parent, "killed", shard_size=50)
    monkeypatch.undo()
    taken_up = made(whole.parent, "killed", shard_size=50, resume=True)
    for path in sorted(taken_up.glob("*.parquet")):
        assert path.read_bytes() == (whole.parent / "cut" / path.name).read_bytes()


def test_log_odds_are_scaled_to_be_true() -> None:
    """Scores three times too sure: the factor is the one that a fine search finds."""
    rng = np.random.default_rng(0)
    odds = rng.normal(0, 1, 4000)
    true = (rng.random(4000) < 1 / (1 + np.exp(-odds))).astype(float)
    likely = [(true * -np.log1p(np.exp(-f * 3 * odds)) - (1 - true) * np.log1p(np.exp(f * 3 * odds))).sum()
              for f in np.linspace(0.2, 0.5, 301)]  # fmt: skip
    assert math.isclose(
        text_only.calibrated(3 * odds, true), np.linspace(0.2, 0.5, 301)[np.argmax(likely)], abs_tol=2e-3
    )
    assert text_only.calibrated(-3 * odds, true) == 0.0


def test_a_balanced_build_is_not_scored() -> None:
    with pytest.raises(ValueError, match="leave out balance or text_only"):
        BuildConfig(balance=True, text_only=True)
