"""Explanations: scores are the model's own, maps are the local score's weights; picture and data are written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

import compoclip
from compoclip.cli import main
from compoclip.data.world import composition_item, draw
from compoclip.errors import InputError
from compoclip.models import Model
from compoclip.report.explain import Difference, _words, differences, new_places, read

ITEM = composition_item("swap-attribute", 0, 3)
CAPTIONS = [ITEM.caption, ITEM.negative]


@pytest.fixture(scope="module")
def model() -> Model:
    return compoclip.load("tiny")


@pytest.fixture
def image() -> Image.Image:
    return Image.fromarray(draw(ITEM.scene))


def test_scores_are_the_models_and_maps_are_weights_over_patches(model: Model, image: Image.Image) -> None:
    reading = read(model, image, CAPTIONS)
    assert reading.scores == pytest.approx(model.score(image, CAPTIONS).tolist(), abs=1e-6)
    assert reading.view.size == (48, 48)
    for caption, words in zip(CAPTIONS, reading.words, strict=True):
        assert [word for word, _ in words] == caption.split()
        for _, grid in words:
            assert grid.shape == (6, 6)
            assert grid.min() >= 0
            assert grid.sum() == pytest.approx(1.0, abs=1e-5)


def test_a_map_is_the_rescaled_similarity_of_word_and_patches(model: Model, image: Image.Image) -> None:
    """One word by hand: similarities of its token to the patches, rescaled to [0, 1], divided by their sum."""
    reading = read(model, image, CAPTIONS)
    with torch.no_grad():
        patches = model.image_features(model.pixels([image]), dense=True).tokens
        tokens = model.text_features(model.tokenize(CAPTIONS), dense=True).tokens
    assert patches is not None
    assert tokens is not None
    raw = [float(tokens[0, 2] @ patch) for patch in patches[0]]  # place 0 is the start token, 1 is "a"
    shares = [(value - min(raw)) / (max(raw) - min(raw)) for value in raw]
    wanted = np.array(shares).reshape(6, 6) / sum(shares)
    np.testing.assert_allclose(reading.words[0][1][1], wanted, atol=1e-6)


def test_pieces_of_clips_tokenizer_are_put_together_to_words() -> None:
    class Holder:
        tokenizer = open_clip.get_tokenizer("ViT-B-32")

    ids = Holder.tokenizer(["a zebra-striped skateboarder!"])[0]
    mask = torch.arange(len(ids)).ge(1) & torch.arange(len(ids)).le(int(ids.argmax()))
    words = _words(Holder(), ids, mask)  # type: ignore[arg-type]
    assert [word for word, _ in words] == ["a", "zebra", "-", "striped", "skateboarder", "!"]
    assert sorted(place for _, places in words for place in places) == list(range(1, int(ids.argmax())))


@pytest.mark.parametrize(
    ("first", "other", "wanted"),
    [
        ("a dog chases a cat", "a cat chases a dog", [("dog", "cat"), ("cat", "dog")]),
        ("a dog", "A dog", []),
        ("a dog runs", "a big dog runs", [("", "big")]),
        ("a big dog", "a dog", [("big", "")]),
        ("a dog", "a dog on a mat", [("", "on a mat")]),
    ],
)
def test_differences_by_word(first: str, other: str, wanted: list[tuple[str, str]]) -> None:
    assert differences(first, other) == [Difference(*pair) for pair in wanted]
    new = new_places(first.split(), other.split())
    assert [other.split()[i] for i in sorted(new)] == [word for _, run in wanted for word in run.split()]


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_command_writes_picture_and_data(
    tmp_path: Path, image: Image.Image, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    photo, out = tmp_path / "scene $1.png", tmp_path / f"why{suffix}"
    image.save(photo)
    with pytest.raises(SystemExit) as stopped:
        main(["explain", "tiny", str(photo), *CAPTIONS, "--base", "tiny", "--out", str(out)])
    assert stopped.value.code == 0
    assert ITEM.caption in capsys.readouterr().out
    data = json.loads(out.with_suffix(".json").read_text())
    assert data["captions"] == CAPTIONS
    assert [model["name"] for model in data["models"]] == ["tiny", "tiny"]
    assert len(data["models"][0]["words"][1]) == len(ITEM.negative.split())
    assert data["differences"][0] == []
    assert {d["new"] for d in data["differences"][1]} <= set(ITEM.negative.split())
    if suffix == ".png":
        with Image.open(out) as picture:
            assert picture.width > 1000
            assert len(set(picture.convert("L").resize((64, 64)).tobytes())) > 20  # not a blank page
    else:
        assert out.read_text().count("<image") >= 2 * sum(len(caption.split()) for caption in CAPTIONS)


def test_bad_input_is_one_clear_line(model: Model, image: Image.Image, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="empty"):
        read(model, image, ["a dog", "  "])
    with pytest.raises(SystemExit) as stopped:
        main(["explain", "tiny", str(tmp_path / "none.png"), "a dog", "--out", str(tmp_path / "why.png")])
    assert stopped.value.code == 2
    with pytest.raises(SystemExit) as stopped:
        main(["explain", "tiny", str(tmp_path / "none.png"), "a dog", "--out", str(tmp_path / "why.gif")])
    assert stopped.value.code == 2
