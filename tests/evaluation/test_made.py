"""The made benchmarks say where their layout was looked up."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from tests.evaluation.made import MAKERS


def test_every_made_benchmark_says_where_its_layout_was_checked() -> None:
    checked = yaml.safe_load((Path(__file__).parent / "made" / "checked.yaml").read_text())
    assert set(checked) == set(MAKERS)
    named = re.compile(r"(github\.com/[\w.-]+/[\w.-]+ at [0-9a-f]{7}|huggingface\.co/datasets/\S+): \S+")
    own = {"world", "zeroshot", "degla_zeroshot"}
    assert {task for task, where in checked.items() if not named.match(where)} == own
