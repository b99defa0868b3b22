"""Pictures to look at, chosen from row logs and drawn again."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest
from tests.evaluation.fakes import RandomModel

from compoclip.data.world import composition_tests
from compoclip.errors import InputError
from compoclip.evaluation import evaluate
from compoclip.evaluation.tasks.world import TEST_SEED
from compoclip.report import load_results, write_report
from compoclip.report.examples import from_logs, read_log
from compoclip.report.pool import pool


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """Two models on eight rows a kind, with logs: folders as `eval --output-path` leaves them."""
    for name, width in (("one", 16), ("two", 24)):
        model = RandomModel(width)
        evaluate(model, "world", limit=8, log_samples=True, label=name, output_path=tmp_path / name / "results.json")
    return [tmp_path / "one", tmp_path / "two"]


def test_each_kind_shows_the_first_row_that_the_models_disagree_on(runs: list[Path]) -> None:
    methods = pool(load_results(runs))
    found = {e["kind"]: e for e in from_logs(methods)}
    tests = composition_tests(TEST_SEED, 8)
    assert list(found) == list(tests)
    logs = [[json.loads(line) for line in (run / "results.samples.jsonl").read_text().splitlines()] for run in runs]
    for kind, rows in tests.items():
        marks = [[row["correct"] for row in log if row["subset"] == kind] for log in logs]
        split = [i for i in range(8) if marks[0][i] != marks[1][i]]
        wrong = [i for i in range(8) if not marks[0][i]]
        place = (split or wrong or [0])[0]
        example = found[kind]
        assert (example["caption"], example["negative"]) == (rows[place].caption, rows[place].negative)
        np.testing.assert_array_equal(np.asarray(example["image"]), rows[place].image)
        for log, label in zip(logs, ("one", "two")):
            scores = [row["scores"] for row in log if row["subset"] == kind][place]
            assert example["choices"][label] == pytest.approx(scores[0] - scores[1])


def test_the_page_shows_them_and_says_that_they_are_picked(runs: list[Path], tmp_path: Path) -> None:
    page = write_report(load_results(runs), tmp_path / "out").read_text()
    assert page.count("data:image/png;base64,") == 8
    assert "not a fair sample" in page
    assert str(tmp_path) not in page
    (runs[1] / "results.samples.jsonl").unlink()
    assert "data:image" not in write_report(load_results(runs), tmp_path / "out").read_text()


def test_logs_of_another_world_are_left_out_and_broken_ones_named(runs: list[Path]) -> None:
    log = runs[0] / "results.samples.jsonl"
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    changed = copy.deepcopy(rows)
    for row in changed:
        if row["subset"] == "count":
            row["captions"][0] += " indeed"
    log.write_text("".join(json.dumps(row) + "\n" for row in changed))
    methods = pool(load_results(runs[:1]))
    assert "count" not in {e["kind"] for e in from_logs(methods)}
    log.write_text("no row\n")
    with pytest.raises(InputError, match=r"samples.jsonl: line 1 is no row of a log"):
        read_log(methods[0].runs[0])
