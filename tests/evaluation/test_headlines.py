"""The figures that authors print, beside ours: each worked out again from rows that a slow script graded."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.evaluation.fakes import RandomModel, picture, png, write
from tests.evaluation.slow import files
from tests.evaluation.slow.rows import marks
from tests.evaluation.test_every_task import Guess, make

from compoclip.evaluation import evaluate

Rows = dict[str, list[dict[str, Any]]]


def measured(task: str, root: Path) -> tuple[dict[str, Any], Rows]:
    """Our entry of a made benchmark, and its rows as the slow script grades them, by subset."""
    make(task, root, trouble=True, pictures=8)
    model = Guess(16, signs=True)
    entry = evaluate(model, task, root, controls=False)["tasks"][task]
    return entry, {part.name: marks(part, model) for part in files.READERS[task](root)}


def share(rows: list[dict[str, Any]], key: str) -> float:
    return 100 * float(np.mean([bool(row[key]) for row in rows]))


def test_sugarcrepe_pp_prints_the_mean_of_reading_alone(tmp_path: Path) -> None:
    entry, rows = measured("sugarcrepe_pp", tmp_path)
    want = np.mean([share(own, "tot") for own in rows.values()])
    assert entry["scores"]["TOT, mean of subsets"] == pytest.approx(want)
    low, high = entry["scores_ci95"]["TOT, mean of subsets"]
    assert low <= want <= high


def test_mmvp_prints_the_image_score_and_vismin_the_mean_of_twelve(tmp_path: Path) -> None:
    entry, rows = measured("mmvp_vlm", tmp_path / "a")
    assert entry["scores"]["image"] == pytest.approx(np.mean([share(own, "image") for own in rows.values()]))
    entry, rows = measured("vismin", tmp_path / "b")
    assert len(rows) == 4
    twelve = [share(own, key) for own in rows.values() for key in ("text", "image", "group")]
    assert entry["scores"]["mean of text, image and group over the categories"] == pytest.approx(np.mean(twelve))


def test_eqben_averages_kubric_first_for_each_score(tmp_path: Path) -> None:
    entry, rows = measured("eqben", tmp_path)
    for way in ("text", "image", "group"):
        kubric = np.mean([share(own, way) for name, own in rows.items() if "kubric" in name])
        want = np.mean([*(share(own, way) for name, own in rows.items() if "kubric" not in name), kubric])
        (found,) = (v for title, v in entry["scores"].items() if title.startswith(f"{way}, "))
        assert found == pytest.approx(want)


def test_whatsup_counts_pairs_and_sets_as_its_project_does(tmp_path: Path) -> None:
    """`evaluate_scores` of dataset_zoo/aro_datasets.py: the first and last word of a file's name are its things, the
    second its place; left and right make a pair, and so do the two other places; all four make a set."""
    entry, rows = measured("whatsup", tmp_path)
    figures: dict[str, list[float]] = {"pair": [], "set": []}
    for part in files.READERS["whatsup"](tmp_path):
        if not part.name.startswith("WhatsUp"):
            assert "pair" not in entry["subsets"][part.name]
            continue
        found: dict[tuple[str, str], dict[str, bool]] = {}
        for asked, graded in zip(part.here(), rows[part.name]):
            words = asked.photos[0].path.name.split("_")  # type: ignore[union-attr]
            own = found.setdefault((words[0], words[-1][:-5]), {})
            own[words[1]] = own.get(words[1], True) and graded["correct"] == 1
        lines = [("left", "right"), ("on", "under") if part.name.endswith("A") else ("in-front", "behind")]
        pairs = [own[a] and own[b] for own in found.values() for a, b in lines if a in own and b in own]
        sets = [all(own.values()) for own in found.values() if len(own) == 4]
        assert pairs
        assert sets
        for key, values in (("pair", pairs), ("set", sets)):
            assert entry["subsets"][part.name][key] == pytest.approx(100 * np.mean(values))
            figures[key].append(100 * float(np.mean(values)))
    for key, values in figures.items():
        assert entry["scores"][f"{key} accuracy (A, B)"] == pytest.approx(np.mean(values))


def test_negbench_is_divided_by_template(tmp_path: Path) -> None:
    entry, rows = measured("negbench", tmp_path)
    text = (tmp_path / "negbench/data/images/COCO_val_mcq_llama3.1_rephrased.csv").read_text()
    table = list(csv.DictReader(text.splitlines()))
    there = [r for r in table if (tmp_path / "coco/val2017" / Path(r["image_path"]).name).is_file()]
    assert len(there) == len(rows["COCO_MCQ"])
    found = entry["subsets"]["COCO_MCQ"]["by"]["template"]
    assert set(found) == {"positive", "negative", "hybrid"}
    for template, figures in found.items():
        own = [g["correct"] for r, g in zip(there, rows["COCO_MCQ"]) if r["correct_answer_template"] == template]
        assert (figures["n"], figures["accuracy"]) == (len(own), pytest.approx(100 * np.mean(own)))


def test_crepe_is_divided_by_complexity_and_ranks_its_caption(tmp_path: Path) -> None:
    levels, ranks = {4: 9, 7: 5, 12: 6}, []
    model = RandomModel(8)
    for level, count in levels.items():
        lines = ["image_id,caption,hard_negs,x,y,width,height"]
        for i in range(count):
            number = 100 * level + i
            texts = [f"{number} {k}" for k in range(6)]
            image = picture(number % 256, number // 256)
            write(tmp_path / "vg" / "VG_100K" / f"{number}.jpg", png(image))
            lines.append(f'{number},{texts[0]},"{texts[1:]!r}",0,0,4,4')
            cosines = model.encode_text(texts) @ model.encode_image([image])[0]
            ranks.append((level, 1 + int((cosines[1:] > cosines[0]).sum())))
        file = f"crepe/prod_hard_negatives/atom/prod_vg_hard_negs_atom_complexity_{level}.csv"
        write(tmp_path / file, "\n".join(lines) + "\n")
    entry = evaluate(model, "crepe", tmp_path, controls=False)["tasks"]["crepe"]
    found = entry["subsets"]["atom"]
    for k in (1, 3, 5, 10):
        assert found[f"R@{k}"] == pytest.approx(100 * np.mean([rank <= k for _, rank in ranks]))
    assert found["R@10"] == 100.0
    for level, count in levels.items():
        own = found["by"]["complexity"][str(level)]
        right = [rank == 1 for other, rank in ranks if other == level]
        assert (own["n"], own["accuracy"]) == (count, pytest.approx(100 * np.mean(right)))


def test_winoground_is_divided_by_tag(tmp_path: Path) -> None:
    model, lines = RandomModel(6), []
    for i in range(12):
        for k in "01":
            write(tmp_path / f"winoground/data/images/ex_{i}_img_{k}.png", png(picture(20 * i + int(k))))
        row = {f"image_{k}": f"ex_{i}_img_{k}" for k in "01"} | {f"caption_{k}": f"caption {i} {k}" for k in "01"}
        tags = {"tag": "Adjective", "collapsed_tag": ("Object", "Relation", "Both")[i % 3], "num_main_preds": 1}
        lines.append(row | tags)
    write(tmp_path / "winoground/data/examples.jsonl", "\n".join(map(json.dumps, lines)))
    results = evaluate(model, "winoground", tmp_path, controls=False, log_samples=True)
    found = results["tasks"]["winoground"]["subsets"]["all"]["by"]["collapsed_tag"]
    assert list(found) == ["Object", "Relation", "Both"]
    for k, tag in enumerate(found):
        own = results["samples"][k::3]
        assert found[tag]["n"] == len(own) == 4
        for way in ("text", "image", "group"):
            assert found[tag][way] == pytest.approx(share(own, way))
