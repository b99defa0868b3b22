"""benchmarks/comparison.py: its figures by hand, its rows against the recipes, and one small comparison end to end."""

from __future__ import annotations

import statistics
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from tests.script_module import load

from compoclip.config import resolve
from compoclip.demo import FULL, DemoConfig

PATH = Path(__file__).parents[1] / "benchmarks" / "comparison.py"
SMALL = DemoConfig(steps=2, batch_size=16, scenes=64, limit=6, alphas=(0.5,))


@pytest.fixture(scope="module")
def comparison() -> ModuleType:
    return load("benchmarks/comparison.py")


@pytest.mark.parametrize(
    ("curve", "least", "best"),
    [
        ([(75, 50), (71, 58), (60, 80)], 73, 54),  # half way on the first line
        ([(75, 50), (71, 58), (60, 80)], 71, 58),
        ([(75, 50), (71, 58), (60, 80)], 50, 80),  # all of it is allowed
        ([(75, 50), (60, 40), (74, 70)], 73, 40 + 30 * 13 / 14),  # a curve that comes back: 70 itself is allowed
        ([(75, 50), (80, 45)], 73, 50),  # nothing lost and nothing gained
    ],
)
def test_composition_at_equal_zero_shot(comparison: ModuleType, curve: list, least: float, best: float) -> None:
    expected = max([best, *(score for kept, score in curve if kept >= least)])
    assert comparison.at_zeroshot(curve, least) == pytest.approx(expected)


def test_the_interval_is_student_s(comparison: ModuleType) -> None:
    values = [70.0, 74.0, 75.0]
    half = 4.302653 * statistics.stdev(values) / 3**0.5  # the quantile of two degrees of freedom, from a table
    assert comparison.interval(values) == f"73.0 ± {half:.1f}"
    assert comparison.interval([70.04]) == "70.0"


def test_every_row_resolves_and_no_label_occurs_twice_in_a_group() -> None:
    told = yaml.safe_load(PATH.with_suffix(".yaml").read_text(encoding="utf-8"))
    assert DemoConfig(**told["plans"]["demo"]) == FULL
    assert DemoConfig(**told["plans"]["long"]).steps > FULL.steps
    groups = told["groups"]
    assert len(groups["methods"]) >= 12
    for rows in groups.values():
        found = [resolve(row["recipe"], row.get("changes", {})) for row in rows.values()]
        told = {
            (str(c.weights), str(c.options), c.lora_rank, c.lr, c.hard_images, c.hard_captions, c.concatenate)
            for c in found
        }
        assert len(told) == len(found)


def test_the_lead_is_the_mean_of_differences_of_equal_seeds(comparison: ModuleType) -> None:
    """`negclip` failed on seed 1, so that its lead is of seeds 0 and 2 alone."""
    base = {"comp": 50.0, "zeroshot": 74.0, "i2t": 60.0, "t2i": 60.0}
    rows = {
        label: {seed: {**base, "kept": kept, "pace": 0.5} for seed, kept in kept_by_seed.items()}
        for label, kept_by_seed in {"negclip": {0: 52.0, 2: 56.0}, "compoclip": {0: 80.0, 1: 90.0, 2: 82.0}}.items()
    }
    lines = [line.strip("| ").split(" | ") for line in comparison.markdown(base, rows, 2.0).splitlines()]
    at = lines[0].index("compoclip's lead there")
    assert lines[3][at] == "27.0 ± 12.7"  # of 28 and 26: a standard error of 1, and 12.706 of a table
    assert lines[2][at].startswith("34.0 ± ")  # over the base: 30, 40, 32
    assert not lines[4][at].strip()


@pytest.mark.slow
def test_a_comparison_goes_on_where_it_was_and_names_what_failed(
    comparison: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = {
        "hard images": {"recipe": "compoclip"},
        "broken": {"recipe": "clip", "changes": {"muon_scale": 2.0, "optimizer": "adamw"}},
    }
    table = comparison.compare(rows, [0], tmp_path, 2.0, SMALL)
    lines = table.splitlines()
    assert len(lines) == 5
    assert lines[2].startswith("| base | ")
    assert lines[3].startswith("| hard images | ")
    assert all(0 <= float(cell) <= 100 for cell in lines[3].strip("| ").split(" | ")[1:6])
    assert lines[4].startswith("| broken | failed |")
    assert "broken, seed 0: recipe clip: muon_scale=2 has no effect with adamw" in capsys.readouterr().err
    weights = tmp_path / "seed-0" / "runs" / "hard-images" / "export" / "open_clip_model.safetensors"
    before = weights.stat().st_mtime_ns
    assert comparison.compare(rows, [0], tmp_path, 2.0, SMALL) == table
    assert weights.stat().st_mtime_ns == before
