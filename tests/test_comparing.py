"""`compare`: recipes on equal terms, one report, and going on where it was stopped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from compoclip.cli import main
from compoclip.comparing import compare, plan
from compoclip.errors import InputError
from compoclip.training.run_directory import read_run
from training.test_fitting import photos

RECIPES = ["clip", "fsc-clip"]


@pytest.fixture(scope="module")
def forty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photos(tmp_path_factory.mktemp("forty"), 40)


def flags(folder: Path, out: Path, recipes: str = "clip,fsc-clip") -> list[str]:
    data = ["--data", str(folder / "captions.tsv"), "--image-root", str(folder / "images")]
    return [
        "compare",
        *data,
        "--recipes",
        recipes,
        "--model",
        "tiny",
        "--device",
        "cpu",
        "--steps",
        "3",
        "--out",
        str(out),
    ]


@pytest.fixture(scope="module")
def compared(forty: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("compared") / "out"
    with pytest.raises(SystemExit) as ended:
        main(flags(forty, out))
    assert ended.value.code == 0
    return out


def test_every_recipe_gets_the_same_steps_base_rows_and_seed(compared: Path) -> None:
    runs = [compared / "runs" / name for name in RECIPES]
    first, second = (read_run(run) for run in runs)
    for name in ("steps", "batch_size", "warmup", "held_out", "seed", "model_name"):
        assert getattr(first, name) == getattr(second, name), name
    assert first.lr != second.lr  # a recipe's own
    for run in runs:
        assert json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])["step"] == 3
    results = [json.loads((run / name).read_text()) for run in runs for name in ("results-base.json", "results.json")]
    rows = [{n: s["rows"] for n, s in r["tasks"]["heldout"]["subsets"].items()} for r in results]
    assert all(found == rows[0] for found in rows)
    assert len(rows[0]) > 2  # several kinds beside retrieval
    assert results[0]["summary"] == results[2]["summary"]  # one base


def test_the_report_names_every_recipe(compared: Path) -> None:
    page = (compared / "report.html").read_text()
    assert all(name in page for name in [*RECIPES, "base", "3 steps"])


def test_what_is_done_is_not_done_again(compared: Path, forty: Path, capsys) -> None:
    before = {path: path.stat().st_mtime_ns for path in compared.glob("runs/*/results.json")}
    assert len(before) == 2
    (compared / "runs" / "fsc-clip" / "results.json").unlink()  # as if it had been stopped in the last evaluation
    with pytest.raises(SystemExit):
        main(flags(forty, compared))
    shown = capsys.readouterr()
    assert "train: fsc-clip" in shown.err
    assert "train: clip" not in shown.err
    assert "all pairs" in shown.out
    kept = compared / "runs" / "clip" / "results.json"
    assert kept.stat().st_mtime_ns == before[kept]


def test_another_comparison_is_refused_in_its_folder(compared: Path, forty: Path, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        main(flags(forty, compared, "clip,negclip"))
    assert ended.value.code == 2
    assert "a comparison of clip, fsc-clip" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("recipes", "settings", "seeds", "words"),
    [
        ([], {}, (0,), "name recipes"),
        (["clip", "clip"], {}, (0,), "each once"),
        (["clip", "nosuch"], {}, (0,), "nosuch"),
        (["clip"], {"data": "world"}, (0, 1), "one seed"),
        (["clip"], {"nothing": 1}, (0,), "nothing"),
        (["clip"], {}, (), "seeds"),
        (["clip"], {"fit_batch": True}, (0,), "batch"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, forty: Path, recipes, settings, seeds, words) -> None:
    data = {"data": str(forty / "captions.tsv"), "image_root": str(forty / "images"), "model": "tiny"}
    with pytest.raises(InputError, match=words) as caught:
        plan(tmp_path, recipes, {**data, **settings}, seeds)
    assert "\n" not in str(caught.value)


def test_nothing_to_measure_is_refused(tmp_path: Path, forty: Path) -> None:
    settings = {"data": str(forty / "captions.tsv"), "image_root": str(forty / "images"), "model": "tiny", "steps": 1}
    with pytest.raises(InputError, match="nothing was measured"):
        compare(plan(tmp_path / "out", ["clip"], {**settings, "held_out": 0, "negatives": "generate", "device": "cpu"}))
