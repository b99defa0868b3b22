"""The bundled model as plain open_clip sees it: loads with no network, small, exact when its text is cut."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import open_clip
import pytest
import torch
from open_clip.transformer import text_global_pool
from PIL import Image

import compoclip
from compoclip.data import world
from compoclip.errors import InputError
from compoclip.models import load, save

FOLDER = Path(compoclip.__file__).parent / "models" / "tiny"
CAPTIONS = ["a red square", "there is a brown hexagon to the left of a pink flower", "two crosses", ""]


@pytest.fixture(scope="module")
def tower() -> open_clip.CLIP:
    model, _, _ = open_clip.create_model_and_transforms(f"local-dir:{FOLDER}")
    return model.eval()


@pytest.fixture(scope="module")
def tokenizer():
    return open_clip.get_tokenizer(f"local-dir:{FOLDER}")


def test_the_folder_is_small_and_whole():
    names = {path.name for path in FOLDER.iterdir()}
    assert {"open_clip_config.json", "open_clip_model.safetensors", "tokenizer.json", "tokenizer_config.json"} <= names
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) <= 10_000_000


def test_no_file_names_a_class_that_transformers_4_lacks(tmp_path):
    copy = save(load("tiny"), tmp_path / "copy")
    for folder in (FOLDER, copy):
        named = json.loads((folder / "tokenizer_config.json").read_text())["tokenizer_class"]
        assert named.startswith("PreTrainedTokenizer")  # 4 leaves out "Fast", and both releases read either


def test_the_activation_is_stated():
    config = json.loads((FOLDER / "open_clip_config.json").read_text())
    assert config["model_cfg"]["quick_gelu"] is False


def test_it_loads_offline_in_a_fresh_process(tmp_path):
    code = (
        "import socket, open_clip, torch\n"
        "def refuse(*a, **k): raise OSError('no network here')\n"
        "socket.socket.connect = refuse\n"
        f"name = 'local-dir:{FOLDER}'\n"
        "model, _, preprocess = open_clip.create_model_and_transforms(name)\n"
        "print(tuple(model.encode_text(open_clip.get_tokenizer(name)(['a red square'])).shape))\n"
    )
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stdout.strip() == "(1, 128)"


def test_a_picture_of_the_world_goes_in_unresized(tower):
    _, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{FOLDER}")
    image = world.finetune_scene(0, 0).image
    pixels = preprocess(Image.fromarray(image))
    by_hand = (torch.from_numpy(image).permute(2, 0, 1).double() / 255 - 0.5) / 0.25
    assert pixels.shape == (3, 48, 48)
    assert torch.allclose(pixels.double(), by_hand, atol=1e-6)


def test_the_end_token_has_the_highest_id_and_padding_its_own(tower, tokenizer):
    tokens = tokenizer(CAPTIONS)
    assert tokens.shape == (len(CAPTIONS), tower.context_length)
    end = tower.vocab_size - 1
    assert torch.equal((tokens == end).sum(1), torch.ones(len(CAPTIONS), dtype=torch.long))
    for row in tokens.tolist():
        assert row[0] == 1
        stop = row.index(end)
        assert 0 not in row[:stop]
        assert set(row[stop + 1 :]) <= {0}


def test_a_caption_too_long_keeps_its_end(tower, tokenizer):
    tokens = tokenizer(["a red square left of " * 20])
    assert tokens.shape == (1, tower.context_length)
    assert tokens[0, -1] == tower.vocab_size - 1


def test_text_cut_to_its_length_gives_the_same_features(tower, tokenizer):
    tokens = tokenizer(CAPTIONS)
    with torch.no_grad():
        full = tower.encode_text(tokens)
        length = int(tokens.argmax(1).max()) + 1
        assert length < tower.context_length
        short = tokens[:, :length]
        x = tower.token_embedding(short) + tower.positional_embedding[:length]
        x = tower.ln_final(tower.transformer(x, attn_mask=tower.attn_mask[:length, :length]))
        cut = text_global_pool(x, short, "argmax") @ tower.text_projection
    assert torch.allclose(full, cut, atol=1e-5)
    assert not torch.allclose(full[0], full[1], atol=1e-2)


def test_words_from_outside_the_world_stay_apart(tower, tokenizer):
    texts = [f"a red {noun}" for noun in ("dog", "theodicy", "zebra", "日本", "x9", "square")]
    tokens = tokenizer(texts)
    assert len({tuple(row) for row in tokens.tolist()}) == len(texts)
    with torch.no_grad():
        features = tower.encode_text(tokens, normalize=True)
    likeness = features @ features.T - torch.eye(len(texts))
    assert likeness.max() < 0.999


def test_case_and_spaces_do_not_matter(tokenizer):
    assert torch.equal(tokenizer(["a red square"]), tokenizer(["  A  Red Square "]))


def test_words_of_the_world_are_at_most_two_pieces(tokenizer):
    for word in (*world.SHAPES, *world.COLOURS, "left", "above", "striped", "dotted", "three", "large"):
        assert 3 <= int(tokenizer([word])[0].argmax()) + 1 <= 4, word


def test_it_names_what_it_sees_and_not_how_it_is_composed(tower, tokenizer):
    """The floor of what docs/world.md states: a bag of words that a demo can repair."""

    def pictures(images) -> torch.Tensor:
        return tower.encode_image(((torch.from_numpy(images).permute(0, 3, 1, 2) / 255) - 0.5) / 0.25, normalize=True)

    with torch.no_grad():
        solid = world.zeroshot_sets(1, 120)["solid"]
        names = tower.encode_text(tokenizer([f"a picture of one {name}" for name in solid.class_names]), normalize=True)
        right = (pictures(solid.images) @ names.T).argmax(1) == torch.from_numpy(solid.labels)
        assert right.float().mean() > 0.7
        scores = {}
        for kind in ("replace-attribute", "swap-object", "replace-relation"):
            rows = world.composition_tests(1, 120)[kind]
            image = torch.cat([pictures(row.image[None]) for row in rows])
            true = tower.encode_text(tokenizer([row.caption for row in rows]), normalize=True)
            false = tower.encode_text(tokenizer([row.negative for row in rows]), normalize=True)
            scores[kind] = ((image * true).sum(1) > (image * false).sum(1)).float().mean().item()
    assert scores["replace-attribute"] > 0.85
    assert 0.35 < scores["swap-object"] < 0.65
    assert 0.35 < scores["replace-relation"] < 0.65


def test_a_tokenizer_of_another_model_is_refused_in_one_line() -> None:
    model = compoclip.load("tiny")
    words = model.config["model_cfg"]["text_cfg"]["vocab_size"]
    model.tokenizer = lambda texts: torch.full((len(texts), 16), words)
    with pytest.raises(InputError, match=rf"gives token {words} and the model knows {words}"):
        model.encode_text(["a red square"])
