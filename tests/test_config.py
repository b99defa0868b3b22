"""Configuration: recipes, overrides, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from compoclip.config import read_config, read_recipe, recipe_names, resolve
from compoclip.errors import InputError
from compoclip.losses import OBJECTIVES, objective


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
