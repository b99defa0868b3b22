"""The page for contributors: what it names is there, and its examples do what it says, in the order of the page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from compoclip.config import resolve
from compoclip.losses import Features, objective
from compoclip.losses.objective import OPTIONS, TERMS, Term
from compoclip.negatives import generate
from compoclip.negatives.kinds import KINDS, Kind

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


def run(code: str, names: dict[str, Any]) -> dict[str, Any]:
    exec(compile(code, "CONTRIBUTING.md", "exec"), names)
    return names


def test_the_files_it_names_are_there() -> None:
    named = re.findall(r"`((?:src|tests|scripts|benchmarks|docs)/[\w/.-]+)`", PAGE) + re.findall(
        r"\]\((docs/.*?)\)", PAGE
    )
    given = [name for name in named if "NAME" not in name]
    assert len(given) > 20
    assert [name for name in given if not (ROOT / name).exists()] == []
    for name in (name for name in named if "NAME" in name):
        folder, _, pattern = name.rpartition("/")
        assert list((ROOT / folder).glob(pattern.replace("NAME", "*"))), name


def test_its_commands_are_targets_of_the_makefile() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    named = re.findall(r"make ([a-z-]+)", "\n".join([*blocks("bash"), *re.findall(r"`(make .*?)`", PAGE)]))
    assert {"setup", "lint", "test", "test-fast", "build"} <= set(named) <= set(targets)


def test_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    function, line = blocks("python")[:2]
    hinge = run(function, {})["hinge"]
    entries: dict[str, Term] = {}
    run(line, {"TERMS": entries, "Term": Term, "hinge": hinge})
    monkeypatch.setitem(TERMS, "hinge", entries["hinge"])
    monkeypatch.setitem(OPTIONS, "hinge_margin", ())
    draw = np.random.default_rng(0)
    unit = lambda *shape: torch.nn.functional.normalize(torch.tensor(draw.normal(size=shape)), dim=-1)  # noqa: E731
    image, text, wrong, here = unit(3, 5), unit(3, 5), unit(3, 2, 5), torch.tensor([[1, 0], [1, 1], [0, 0]]).bool()
    features = Features(
        image=image, text=text, negatives=wrong, negative_mask=here, logit_scale=torch.tensor(10.0, dtype=torch.float64)
    )
    found = objective({"contrastive": 1, "hinge": 0.5}, hinge_margin=0.3)(features)["hinge"].item()
    parts = []
    for b, k in ((0, 0), (1, 0), (1, 1)):
        true = sum(float(x) * float(y) for x, y in zip(image[b], text[b]))
        false = sum(float(x) * float(y) for x, y in zip(image[b], wrong[b, k]))
        parts.append(max(0.0, 0.3 + false - true))
    assert found == pytest.approx(0.5 * sum(parts) / 3, abs=1e-12)


def test_the_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    function, line = blocks("python")[2:4]
    sides = run(function, {})["sides"]
    entries: dict[str, Kind] = {}
    run(line, {"KINDS": entries, "Kind": Kind, "sides": sides})
    monkeypatch.setitem(KINDS, "replace-sides", entries["replace-sides"])
    found = generate(["A dog sits left of a red chair.", "A dog sits."], kinds=["replace-sides"], per_caption=1)
    assert [[negative.text for negative in made] for made in found] == [["A dog sits right of a red chair."], []]
    edit = found[0][0].edits[0]
    assert (edit.old, edit.new) == ("left", "right")


def test_the_recipe(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(blocks("yaml")[0])
    config = resolve(str(path), {"data": "world", "output_dir": str(tmp_path / "run")})
    assert (config.batch_size, config.micro_batch) == (64, 16)
    assert config.weights == resolve("negclip", {"data": "world", "output_dir": "run"}).weights
