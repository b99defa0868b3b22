"""Figures for papers and spreadsheets, what training left behind, and rows of one's own photos."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from compoclip.report import load_results, write_report
from compoclip.report.gains import gains_table, lines
from compoclip.report.photos import photo_examples, read_image
from compoclip.report.pool import pool
from compoclip.report.summary import advice, introduction
from compoclip.report.tables import as_csv, as_markdown
from report.made import BASE, GAINS, KEEPS, flags, results

OTHERS = results("others", [flags(100, 90), flags(50, 45)], [flags(200, 100)], rows="another set")


def table(runs: list) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(as_csv(lines(runs), [m.label for m in pool(runs)]))))


def test_every_figure_of_the_csv_is_the_rows_own_share() -> None:
    rows = {(row["question"], row["model"]): row for row in table([BASE, GAINS])}
    first = rows["k0", "negclip"]
    assert (first["n"], float(first["value"]), float(first["chance"])) == ("100", 90.0, 50.0)
    assert float(first["delta"]) == pytest.approx(30.0)
    assert first["verdict"] == "gained"
    assert float(first["delta_low"]) > 0
    assert rows["world: s0", "negclip"]["verdict"] == "lost"
    assert rows["k0", "base"]["delta"] == ""
    assert {row["n"] for row in rows.values()} == {"100", "50", "150", "200"}


def test_figures_over_other_rows_are_marked_and_never_subtracted() -> None:
    for row in table([BASE, OTHERS]):
        if row["model"] == "others" and row["value"]:
            assert row["verdict"] == "other rows"
            assert row["delta"] == ""
    text = as_markdown(lines([BASE, OTHERS]), ["base", "others"], "t", [])
    assert "90.0 (other rows)" in text
    shown = "".join(str(cell) for column in gains_table([BASE, OTHERS]).columns for cell in column.cells)
    assert "other rows" in shown


def test_the_page_marks_other_rows_too(tmp_path: Path) -> None:
    page = write_report([BASE, OTHERS], tmp_path).read_text()
    assert page.count("≠ other rows</small>") >= 4
    assert "▲ +" not in page


def test_the_report_brings_its_files(tmp_path: Path) -> None:
    write_report([BASE, GAINS, KEEPS], tmp_path, title="A | B", notes="one *seed*")
    text = (tmp_path / "report.md").read_text()
    assert text.startswith("# A \\| B\n")
    assert "one \\*seed\\*" in text
    assert "| k0 | 100 | 50.0 | 60.0 | **90.0** (+30.0 [" in text
    assert Image.open(tmp_path / "gains.png").size[0] > 600
    assert (tmp_path / "gains.svg").read_text().startswith("<?xml")
    assert "n = 100" in (tmp_path / "report.html").read_text()
    before = (tmp_path / "gains.svg").read_bytes()
    write_report([BASE, GAINS, KEEPS], tmp_path)
    assert (tmp_path / "gains.svg").read_bytes() == before


def test_a_name_is_no_formula_and_no_table() -> None:
    one = results("=1+1|x", [flags(10, 5)], [])
    assert "'=1+1|x" in as_csv(lines([one]), ["=1+1|x"])
    assert "=1+1\\|x" in as_markdown(lines([one]), ["=1+1|x"], "t", [])


def test_advice_follows_what_is_sure() -> None:
    methods = pool([BASE, GAINS, KEEPS])
    from compoclip.report.page import _column

    comp, zero = _column(methods, "comp"), _column(methods, "zeroshot")
    assert "use mix" in advice(methods, comp, [zero])[0]
    assert "blend negclip" in advice(methods[:2], comp[:2], [zero[:2]])[0]
    assert "no gain here is sure" in advice(methods[:1] * 2, comp[:1] * 2, [])[0]
    assert introduction(methods).startswith("Composition")


def log(correct: list[float], where: list[Path]) -> dict:
    return {
        ("swap", i): {"captions": ["a b", "b a"], "scores": [0.2, 0.3 - c / 5], "correct": c, "images": [str(p)]}
        for i, (c, p) in enumerate(zip(correct, where))
    }


def test_a_won_and_a_lost_photo_of_each_kind_is_shown(tmp_path: Path) -> None:
    photos = []
    for number in range(4):
        photos.append(tmp_path / f"{number}.png")
        Image.new("RGB", (8, 8), (number * 50, 0, 0)).save(photos[-1])
    logs = {"base": log([0, 0, 1, 1], photos), "tuned": log([0, 1, 0, 1], photos)}
    won, lost = photo_examples(logs)
    assert (won["kind"], lost["kind"]) == ("swap: won", "swap: lost")
    assert [card["image"].getpixel((0, 0))[0] for card in (won, lost)] == [50, 100]
    assert won["choices"]["base"] < 0 < won["choices"]["tuned"]
    photos[1].unlink()
    assert [card["kind"] for card in photo_examples(logs)] == ["swap: lost"]
    assert read_image("/nowhere/x.tar:a.jpg") is None
    assert photo_examples({"base": logs["base"]}) == []


def test_a_run_shows_its_curve_settings_and_photos_and_no_place(tmp_path: Path) -> None:
    from test_comparing import flags as command
    from training.test_fitting import photos, program

    folder = photos(tmp_path / "mine", 40)
    program(*command(folder, tmp_path / "out", "negclip"), "--lr", "1e-3")
    page = (tmp_path / "out" / "report.html").read_text()
    assert "How they were trained" in page
    assert "every setting of negclip" in page
    assert 'class="curve"' in page
    assert "Your own" in page or "your own" in page
    assert str(folder) not in page.partition("How they were trained")[2].partition("<footer>")[0]
    rows = [json.loads(line) for line in (tmp_path / "out/runs/negclip/results.samples.jsonl").read_text().splitlines()]
    assert rows
    assert {row["task"] for row in rows} == {"heldout"}
    loaded = load_results([tmp_path / "out/runs/negclip/results-base.json", tmp_path / "out/runs/negclip"])
    moved = any(a["correct"] != b["correct"] for a, b in zip(rows, _log(loaded[0])))
    assert ("data:image/png" in page) == moved


def _log(run: dict) -> list[dict]:
    return [json.loads(line) for line in Path(run["samples_path"]).read_text().splitlines()]


def test_four_models_fit_80_columns_and_no_kind_is_broken() -> None:
    kinds = ["replace-adjectives", "replace-nouns", "swap-nouns"]
    runs = [
        results(name, [flags(100, n), flags(100, 50), flags(100, 9)], [flags(200, 100)], kinds=kinds)
        for name, n in (("base", 60), ("clip", 45), ("negclip", 70), ("fsc-clip", 60))
    ]
    out = io.StringIO()
    Console(file=out, width=80).print(gains_table(runs))
    shown = out.getvalue()
    assert all(f" {kind} " in shown for kind in kinds)
    assert "+0]" not in shown
    assert "-0," not in shown
    Console(file=out, width=80).print(gains_table(runs[:1]))
    assert "change" not in out.getvalue()[len(shown) :]
