"""Configuration: recipes, overrides, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from compoclip.config import read_config, resolve
from compoclip.errors import InputError
from compoclip.losses import OBJECTIVES, objective
from compoclip.recipes.reading import read_recipe, recipe_names


def test_every_recipe_resolves_and_names_its_source() -> None:
    assert set(OBJECTIVES) <= set(recipe_names())
    for name in recipe_names():
        recipe = read_recipe(name)
        assert recipe["summary"]
        assert recipe["source"]
        config = resolve(name, {})
        assert objective(config.weights, **config.options).weights == config.weights


def test_distillation_is_scaled_to_the_batch_and_nothing_else_is() -> None:
    at_reference = resolve("degla", {})
    assert at_reference.weights["distillation"] == pytest.approx(0.005)
    half = resolve("degla", {"batch_size": 128})
    assert half.weights["distillation"] == pytest.approx(0.01)
    assert {k: v for k, v in half.weights.items() if k != "distillation"} == {
        k: v for k, v in at_reference.weights.items() if k != "distillation"
    }
    mean = resolve("degla", {"batch_size": 128, "distillation_reduction": "mean"})
    assert mean.weights["distillation"] == pytest.approx(0.005)


def test_overrides_reach_fields_terms_and_options() -> None:
    config = resolve("fsc-clip", {"lr": 1e-3, "local_negative": 0.7, "focal_gamma": 1, "global_negative": 0})
    assert config.lr == 1e-3
    assert config.weights == {"contrastive": 1.0, "local_negative": 0.7}
    assert config.options["focal_gamma"] == 1.0
    other = resolve("fsc-clip", {"objective": "negclip"})
    assert other.weights == {"contrastive": 1.0}
    assert other.options == {"contrastive_negatives": "batch"}


@pytest.mark.parametrize(
    ("recipe", "overrides", "words"),
    [
        ("fsc-clop", {}, "fsc-clip"),
        ("clip", {"batchsize": 3}, "batch_size"),
        ("clip", {"lr": "fast"}, "lr"),
        ("clip", {"lr": -1}, "lr"),
        ("clip", {"text_grounded_mask": "neither"}, "paper"),
        ("clip", {"contrastive": 0}, "at least one term"),
        ("clip", {"muon_scale": 3}, "no effect with adamw: set optimizer=muon"),
        ("clip", {"hard_captions": 3}, "no effect without hard images: set hard_images, or"),
        ("clip", {"text_lr_scale": 0.1, "lock_text": True}, "no effect with lock_text"),
    ],
)
def test_what_does_not_fit_is_refused(recipe: str, overrides: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        resolve(recipe, overrides)


def test_a_config_survives_its_yaml(tmp_path: Path) -> None:
    config = resolve("mix", {"output_dir": str(tmp_path), "eval_tasks": ["world"]})
    config.write(tmp_path / "config.yaml")
    assert read_config(tmp_path / "config.yaml") == config
    (tmp_path / "config.yaml").write_text("lr: [\n")
    with pytest.raises(InputError, match=r"config\.yaml"):
        read_config(tmp_path / "config.yaml")


def test_a_recipe_file_is_as_good_as_a_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "summary: mine\nobjective: {weights: {contrastive: 1, distillation: 0.1}}\ntrain: {batch_size: 256}\n"
    )
    assert resolve(str(path), {}).weights == {"contrastive": 1.0, "distillation": 0.1}
    path.write_text("summary: mine\nlr: 3\n")
    with pytest.raises(InputError, match="lr"):
        resolve(str(path), {})


def test_recipes_say_what_the_published_rows_are_made_of() -> None:
    names = set(recipe_names())
    fsc = {
        f"{m}{d}" for m in ("negclip", "fsc-clip", "fsc-clip-lora") for d in ("", "-cc3m", "-laion", "-b16", "-dcxl")
    }
    assert fsc | {"clip-fsc", "clip-cc3m", "clip-laion", "fsc-clip-l14", "fsc-clip-lora-l14"} <= names
    assert {"degla", "degla-released", "degla-negatives", "degla-igc", "degla-tgc", "degla-igc-tgc", "clip"} <= names
    for name in names:
        recipe = read_recipe(name)
        if recipe.get("group") in ("FSC-CLIP", "DeGLA", "baselines"):
            for key in ("data", "negatives", "hardware", "ranks", "differences"):
                assert recipe[key], (name, key)
        expected = recipe.get("expected")
        if expected:
            assert expected["source"]
            assert expected["figures"]
            assert expected["tolerance"]["default"] > 0
            assert all(isinstance(v, float) for v in expected["figures"].values())


def test_a_recipe_inherits_and_says_only_what_differs() -> None:
    cc3m = resolve("fsc-clip-lora-cc3m", {})
    assert (cc3m.weights["global_negative"], cc3m.lora_rank, cc3m.lr) == (1.0, 4, 5e-5)
    assert read_recipe("fsc-clip-lora-cc3m")["expected"]["figures"] == {
        "comp": 53.9, "zeroshot": 53.6, "i2t": 56.1, "t2i": 54.0,
    }  # fmt: skip
    large = resolve("fsc-clip-l14", {})
    assert (large.model, large.batch_size, large.weights["local_negative"]) == ("ViT-L-14", 256, 0.5)
    assert resolve("fsc-clip-b16", {}).batch_size == 128
    released = resolve("degla-released", {})
    assert released.options["text_grounded_mask"] == "released"
    assert "distillation" not in resolve("degla-igc-tgc", {}).weights
    assert "expected" not in read_recipe("clip-laion")


def test_recipes_of_ones_own_extend_and_may_not_go_in_circles(tmp_path: Path) -> None:
    mine, other = tmp_path / "mine.yaml", tmp_path / "other.yaml"
    mine.write_text("extends: fsc-clip\ntrain: {lr: 1.0e-4, warmup: null}\nobjective: {options: {focal_gamma: 1.0}}\n")
    config = resolve(str(mine), {})
    assert (config.lr, config.batch_size, config.options["focal_gamma"]) == (1e-4, 256, 1.0)
    assert config.weights["local_negative"] == 0.2
    mine.write_text(f"extends: {other}\n")
    other.write_text(f"extends: {mine}\n")
    with pytest.raises(InputError, match="extend each other"):
        read_recipe(str(mine))
    mine.write_text("extends: fsc-clip\nlr: 3\n")
    with pytest.raises(InputError, match=r"unknown keys \['lr'\]"):
        read_recipe(str(mine))


@pytest.mark.parametrize("seed", [2**63, -(2**70), 10**30])
def test_a_seed_that_no_generator_takes_is_refused(seed: int) -> None:
    with pytest.raises(InputError, match="seed"):
        resolve("clip", {"seed": seed})
