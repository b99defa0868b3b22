"""Published rows: all are there, each has a plan without a network, and the tiny twins run and resume."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from compoclip.cli import main
from compoclip.config import read_config
from compoclip.errors import InputError
from compoclip.models import load
from compoclip.recipes.reading import read_recipe, recipe_names
from compoclip.reproduce import find, reproduce, rows
from compoclip.reproduce.plan import lines, make
from compoclip.reproduce.verdict import compare, table

COUNTS = {"fsc-clip-1": 28, "fsc-clip-8": 2, "fsc-clip-9": 11, "fsc-clip-released": 12,
          "degla-2": 12, "degla-3": 9, "degla-4": 10, "degla-5": 5, "degla-7": 5}  # fmt: skip
SMALL = {"steps": 2, "world_scenes": 12, "batch_size": 6}


def test_every_row_of_both_papers_is_listed() -> None:
    found: dict[str, int] = {}
    for name in rows():
        found[name.split("/")[0]] = found.get(name.split("/")[0], 0) + 1
    assert found == COUNTS
    for row in rows().values():
        assert row.figures, row.id
        assert all(0 < value <= 100 for value in row.figures.values()), row.id
        assert sum(x is not None for x in (row.recipe, row.model, row.place, row.none)) == 1, row.id


def test_figures_are_those_that_were_printed() -> None:
    assert find("fsc-clip-1/fsc-clip-lora-laion").figures == {"comp": 54.2, "zeroshot": 55.9, "i2t": 57.3, "t2i": 54.3}
    assert find("fsc-clip-released/laion-l14-lora").figures["comp"] == 56.21
    assert find("degla-2/degla").figures["valse_11"] == 74.1
    assert find("degla-4/degla").figures["aro::Flickr30k_Order"] == 94.7
    assert find("degla-3/clip").figures["sugarcrepe::swap_obj"] == 61.4  # printed under the wrong head
    assert find("degla-5/negclip").figures["zeroshot_11"] == 58.1
    assert find("degla-7/tgc").figures == {"aro": 82.2, "zeroshot_11": 57.2}
    assert find("fsc-clip").recipe == "fsc-clip"
    with pytest.raises(InputError, match="did you mean"):
        find("fsc-clip-1/fsc-clip-lora-lion")


def test_every_row_has_a_plan_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "socket", refuse)
    for row in rows().values():
        if row.none:
            with pytest.raises(InputError, match="cannot be reproduced"):
                make(row, tmp_path, tmp_path)
            continue
        text = "\n".join(lines(make(row, tmp_path / "out", tmp_path)))
        assert "evaluate: " + ", ".join(row.tasks) in text
        assert "licence: " in text
        assert re.search(r"downloads in all: [\d.]+ GB in \d+ files", text)
        if row.recipe:
            assert "steps of" in text
            assert re.search(r"base: ViT-\S+: about [\d.]+ GB; licence: MIT", text)
    assert list(tmp_path.iterdir()) == []
    seeds = make(find("fsc-clip-8/fsc-clip-lora"), tmp_path, tmp_path)
    assert [c.seed for c in seeds.configs] == [0, 1, 2]
    assert make(find("degla-4/degla"), tmp_path, tmp_path).configs[0].negatives is None  # its set brings them


def test_downloads_are_counted_once_and_what_is_not_stated_is_named(tmp_path: Path) -> None:
    from compoclip.data.catalog import entries
    from compoclip.reproduce.downloads import evaluation_entries, total

    val = entries()["coco-val2017"]
    assert total([val, val]) == f"{val.fetch[0].bytes / 1e9:.1f} GB in 1 files"
    assert total([val, entries()["winoground"]]).endswith("of a size not stated to the byte: winoground")
    names = [entry.name for entry in evaluation_entries(["sugarcrepe", "sugarcrepe"])]
    assert sorted(names) == ["coco-val2017", "sugarcrepe"]


def test_the_verdict_is_within_the_tolerance_or_not() -> None:
    row = replace(find("degla-4/degla"), figures={"aro::VG_Relation": 81.6, "aro::VG_Attribute": 74.3, "aro": 86.1})

    def results(relation: float, attribute: float) -> dict:
        values = {"VG_Relation": relation, "VG_Attribute": attribute}
        subsets = {k: {"accuracy": v, "part": "composition"} for k, v in values.items()}
        return {"tasks": {"aro": {"subsets": subsets, "scores": {}}}, "summary": {}}

    found = {v.figure: v for v in compare(row, [results(80.1, 77.0), results(81.1, 77.0)])}
    assert (found["aro::VG_Relation"].measured, found["aro::VG_Relation"].verdict) == (80.6, "agrees")
    assert found["aro::VG_Attribute"].verdict == "differs"
    assert found["aro"].verdict == "not measured"
    assert len(table(list(found.values()))) == 4


def test_a_loaded_row_has_a_tiny_twin_and_goes_on_where_it_stopped(tmp_path: Path, monkeypatch) -> None:
    plan = replace(make(find("fsc-clip-released/coco-lora"), tmp_path / "out", tmp_path, "tiny"), limit=4)
    first = reproduce(plan)
    assert {v.verdict for v in first} == {"another scale"}
    from compoclip.reproduce import run

    monkeypatch.setattr(run, "_checkpoint", lambda plan: plan.out / "model")
    (plan.out / "verdict.json").unlink()
    stamp = (plan.out / "results.json").stat().st_mtime_ns
    assert reproduce(plan) == first
    assert (plan.out / "results.json").stat().st_mtime_ns == stamp
    other = replace(make(find("degla-2/clip"), tmp_path / "out", tmp_path, "tiny"), limit=4)
    with pytest.raises(InputError, match=r"contains fsc-clip-released/coco-lora .* name another --out"):
        reproduce(other)


@pytest.mark.slow
@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_has_a_tiny_twin_that_trains_and_prints_its_verdicts(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    settings = [part for key, value in SMALL.items() for part in ("--set", f"{key}={value}")]
    with pytest.raises(SystemExit) as stop:
        main(["reproduce", name, "--scale", "tiny", "--out", str(out), "--limit", "2", *settings])
    said = capsys.readouterr()
    assert stop.value.code == 0, said.err
    row, recipe = find(name), read_recipe(name)
    figures = list(row.figures) or ["comp", "zeroshot", "i2t", "t2i"]
    printed = said.out.splitlines()[-len(figures) :]
    assert said.out.splitlines()[-len(figures) - 1].split() == [
        "figure",
        "published",
        "measured",
        "tolerance",
        "verdict",
    ]
    assert [line.split()[0] for line in printed] == figures
    kept = {v["figure"]: v for v in json.loads((out / "verdict.json").read_text())["verdicts"]}
    for line in printed:
        verdict = kept[line.split()[0]]
        assert verdict["published"] == row.figures.get(verdict["figure"])
        assert verdict["verdict"] == ("another scale" if row.figures else "not published")
        assert line.endswith(f"  {verdict['verdict']}")
    for figure in {"comp", "zeroshot", "i2t", "t2i"} & set(figures):  # the built-in world measures these
        assert 0 <= kept[figure]["measured"] <= 100
    run = out / f"run-{recipe.get('train', {}).get('seed', 0)}"
    config = read_config(run / "config.yaml")
    assert (config.recipe, config.lora_rank) == (name, recipe["train"].get("lora_rank", 0))
    logged = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    terms = set(config.weights)
    assert any(terms <= set(entry) | set(entry.get("terms", {})) for entry in logged), (terms, logged[-1])
    start = load("tiny").clip.state_dict()
    trained = load(run).clip.state_dict()
    assert any(not torch.equal(start[key], trained[key]) for key in start)
    built = config.negatives_per_caption > 0 and config.negatives != "generate"
    assert (out / "negatives").is_dir() == built


@pytest.mark.slow
def test_a_run_killed_in_training_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from compoclip.reproduce import run

    plan = replace(make(find("negclip"), tmp_path / "out", tmp_path, "tiny", SMALL), limit=4)
    real = run._evaluate
    monkeypatch.setattr(run, "_evaluate", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        reproduce(plan)
    manifest = next((tmp_path / "out" / "negatives").rglob("manifest.json"))
    built = manifest.read_bytes()
    monkeypatch.setattr(run, "_evaluate", real)
    assert {v.verdict for v in reproduce(plan)} == {"another scale"}
    assert manifest.read_bytes() == built


def test_the_command_lists_rows_and_prints_a_plan(capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    for arguments, words in (
        (["reproduce"], "fsc-clip-1/fsc-clip-lora-laion"),
        (["reproduce", "degla-7/igc", "--dry-run"], "degla-igc"),
        (["reproduce", "fsc-clip-1/mosaiclip", "--dry-run"], "no weights are public"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 0
        assert words in capsys.readouterr().out
