"""Captions longer than a text tower takes, with a real tokenizer: cut as open_clip cuts them, end token last."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.evaluation.made import MAKERS, Made

from compoclip.evaluation import evaluate
from compoclip.models import load


def test_long_captions_score_as_open_clip_cuts_them(tmp_path: Path) -> None:
    made = Made(tmp_path, rows=3, trouble=True)
    MAKERS["sugarcrepe"](made)
    model = load("tiny")
    rows = evaluate(model, "sugarcrepe", tmp_path, log_samples=True)["samples"]
    long = [row for row in rows if max(len(text.split()) for text in row["captions"]) > 200]
    assert len(long) >= 14  # a true one and a false one in each of seven subsets
    with torch.no_grad():
        for row in long[:4]:
            ids = model.tokenizer(row["captions"])
            assert ids.shape[1] == model.clip.context_length < 200
            from PIL import Image

            pixels = model.preprocess(Image.open(row["images"][0]).convert("RGB"))[None]
            image = model.clip.encode_image(pixels, normalize=True)[0]
            scores = (model.clip.encode_text(ids, normalize=True) @ image).tolist()
            assert row["scores"] == pytest.approx(scores, abs=1e-6)
            cut = [" ".join(text.split()[: model.clip.context_length]) for text in row["captions"]]
            assert (model.tokenizer(cut) == ids).all()
