"""Figures and paired differences of methods, seeds pooled."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest
from tests.report.made import BASE, GAINS, KEEPS, SAME, flags, results

from compoclip.errors import InputError
from compoclip.evaluation.results import write_results
from compoclip.evaluation.statistics import Interval
from compoclip.report import load_results
from compoclip.report.pool import (
    Cell,
    Column,
    cell,
    pairwise_tests,
    pool,
    recall_columns,
    subset_columns,
    summary_columns,
)


def test_methods_are_pooled_by_label_with_the_base_first() -> None:
    methods = pool([GAINS, BASE, copy.deepcopy(GAINS)], base=1)
    assert [(m.label, len(m.runs), m.place) for m in methods] == [("base", 1, 0), ("negclip", 2, 1)]
    with pytest.raises(InputError, match="base 3 is none of the 1 results"):
        pool([BASE], base=3)
    with pytest.raises(InputError, match="no results"):
        pool([])


def test_summary_cell_is_the_paired_difference_of_the_averages() -> None:
    methods = pool([BASE, GAINS])
    comp = summary_columns(methods)[0]
    found = cell(methods[1], methods[0], comp)
    assert found.value == pytest.approx(90.0)
    assert found.delta is not None
    assert found.delta.mean == pytest.approx(90 - 55)
    assert found.verdict == "better"
    # by hand: independent strata, weights 1/2, difference flags in {0, 1} with shares 0.3 and 0.4
    deviation = 100 * 0.5 * np.sqrt(0.3 * 0.7 / 100 + 0.4 * 0.6 / 50)
    assert found.delta.high - found.delta.low == pytest.approx(2 * 1.96 * deviation, rel=0.06)
    assert cell(methods[0], methods[0], comp).delta is None


def test_verdicts_follow_the_interval() -> None:
    methods = pool([BASE, SAME, GAINS])
    comp, zeroshot = summary_columns(methods)[:2]
    assert cell(methods[1], methods[0], comp).verdict == "same"
    assert cell(methods[1], methods[0], zeroshot).verdict == "worse"


def test_seeds_give_mean_and_spread() -> None:
    other = results("negclip", [flags(100, 80), flags(50, 45)], [flags(200, 120)])
    first = results("negclip", [flags(100, 90), flags(50, 45)], [flags(200, 100)])
    base = results("base", [flags(100, 60), flags(50, 25)], [flags(200, 160)])
    methods = pool([base, first, other])
    found = cell(methods[1], methods[0], summary_columns(methods)[0])
    assert found.value == pytest.approx((90 + 85) / 2)
    assert found.spread == pytest.approx(np.std([90, 85], ddof=1))
    assert found.delta is not None
    assert found.delta.mean == pytest.approx(87.5 - 55)
    assert found.ci95 is None


def test_no_interval_for_results_on_other_rows() -> None:
    other = results("x", [flags(100, 90), flags(50, 45)], [flags(200, 100)], rows="others")
    methods = pool([BASE, other])
    found = cell(methods[1], methods[0], summary_columns(methods)[0])
    assert found.value == pytest.approx(90)
    assert found.delta is None


def test_columns_cover_what_any_method_has() -> None:
    methods = pool([BASE, results("x", [flags(10, 5)] * 3, [])])
    assert [c.title for c in subset_columns(methods, "composition")] == ["k0", "k1", "k2"]
    assert cell(methods[0], methods[0], subset_columns(methods, "composition")[2]).value is None
    assert [c.title for c in subset_columns(methods, "zeroshot")] == ["s0"]
    recalls = recall_columns(methods)
    assert [c.title for c in recalls][:3] == ["image → text R@1", "image → text R@5", "image → text R@10"]
    assert cell(methods[0], methods[0], recalls[1]).value == 55.5


def test_a_missing_summary_is_left_out() -> None:
    methods = pool([results("x", [flags(10, 5)], [])])
    assert [c.summary for c in summary_columns(methods)] == ["comp"]
    assert cell(methods[0], methods[0], Column("zero-shot", (), "zeroshot")).value is None


def test_loading_tells_runs_apart_unless_they_were_labelled_alike(tmp_path: Path) -> None:
    paths = []
    for name in ("one", "two"):
        run = copy.deepcopy(KEEPS)
        run["settings"]["labelled"] = False
        paths.append(write_results(run, tmp_path / name / "results.json").parent)
    assert [r["label"] for r in load_results(paths)] == ["one", "two"]
    for path in paths:
        run = json.loads((path / "results.json").read_text())
        run["settings"]["labelled"] = True
        write_results(run, path / "results.json")
    assert [r["label"] for r in load_results([p / "results.json" for p in paths])] == ["mix", "mix"]
    with pytest.raises(InputError, match="no results given"):
        load_results([])


def test_duels_count_rows_that_one_model_alone_has_right() -> None:
    """By hand: k0 goes from rows 0-59 right to 0-89, k1 from 0-24 to 0-44; zero-shot from 0-159 to 0-99."""
    found = {d.subset: d for d in pairwise_tests(pool([BASE, GAINS])[1], pool([BASE, GAINS])[0])}
    assert (found["k0"].rows, found["k0"].found.only_first, found["k0"].found.only_second) == (100, 0, 30)
    assert found["k0"].found.p == pytest.approx(2 / 2**30)
    assert (found["zeroshot/s0"].found.only_first, found["zeroshot/s0"].found.only_second) == (60, 0)
    methods = pool([BASE, GAINS, copy.deepcopy(GAINS)])
    assert pairwise_tests(methods[1], methods[0]) == []  # two seeds: rows are shares, not right or wrong
    assert pairwise_tests(methods[0], methods[0]) == []


def test_rows_of_one_picture_are_resampled_together() -> None:
    """Five captions a picture, all right or all wrong: the interval is that of 40 pictures, not of 200 rows."""
    hits = np.repeat(np.arange(40) % 2, 5)
    other = np.repeat((np.arange(40) % 4 > 0).astype(int), 5)
    runs = []
    for name, rows in (("base", hits), ("tuned", other)):
        run = results(name, [flags(10, 5)], [], rows.tolist())
        runs.append(run)
        run["tasks"]["world"]["subsets"]["retrieval/t2i"]["clusters"] = [[5, 40]]
    methods = pool(runs)
    plain, grouped = (
        cell(methods[1], methods[0], Column("x", (("world", f"retrieval/{way}", 1.0),))).delta for way in ("i2t", "t2i")
    )
    assert plain is not None
    assert grouped is not None
    assert plain.mean == grouped.mean == pytest.approx(25.0)
    assert (grouped.high - grouped.low) / (plain.high - plain.low) == pytest.approx(np.sqrt(5), rel=0.1)
    t2i = next(c for c in summary_columns(methods) if c.summary == "t2i")
    alone = cell(methods[0], methods[0], t2i).ci95
    assert alone is not None
    assert alone[1] - alone[0] == pytest.approx(2 * 1.96 * 100 * np.sqrt(0.25 / 40), rel=0.1)
    assert pairwise_tests(methods[1], methods[0])[-1].subset == "retrieval/i2t"  # the test takes rows for independent


def test_an_interval_that_ends_at_zero_but_for_rounding_holds_it() -> None:
    assert Cell(1.0, delta=Interval(-8.3, -16.7, -1e-15)).verdict == "same"
    assert Cell(1.0, delta=Interval(8.3, 1e-15, 16.7)).verdict == "same"
    assert Cell(1.0, delta=Interval(-8.3, -16.7, -0.2)).verdict == "worse"
