"""Every row of the real SugarCrepe and VALSE files is read, measured, and counted as their papers count them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.evaluation.fakes import RandomModel, picture, png, shared_photos, write, write_tar

from compoclip.evaluation import TASKS, evaluate
from compoclip.evaluation.scoring import Grid
from compoclip.evaluation.task import TaskOptions

SUGARCREPE = {
    "add_att": 692,
    "add_obj": 2062,
    "replace_att": 788,
    "replace_obj": 1652,
    "replace_rel": 1406,
    "swap_att": 666,
    "swap_obj": 245,
}
VALSE = {  # all rows, and those that two of three annotators accepted
    "existence": (534, 505),
    "plurals": (1000, 851),
    "counting-hard": (1000, 868),
    "counting-small-quant": (1000, 900),
    "counting-adversarial": (756, 691),
    "relations": (614, 535),
    "action-replacement": (779, 648),
    "actant-swap": (1042, 949),
    "coreference-standard": (916, 708),
    "coreference-hard": (141, 104),
    "foil-it": (1000, 943),
}
BLANK = png(picture(0))


def table(shared: Path, task: str, name: str) -> list[dict[str, Any]]:
    return list(json.loads((shared / f"reference/annotations/{task}/{name}.json").read_text()).values())


def wanted(shared: Path, task: str) -> dict[str, list[tuple[str, str, str]]]:
    """(image, true caption, false caption) of the rows that count."""
    if task == "sugarcrepe":
        rows = {n: table(shared, task, n) for n in SUGARCREPE}
        fields = ("filename", "caption", "negative_caption")
    else:
        rows = {n: [r for r in table(shared, task, n) if r["mturk"]["caption"] >= 2] for n in VALSE}
        fields = ("image_file", "caption", "foil")
    return {n: [tuple(r[f] for f in fields) for r in found] for n, found in rows.items()}  # type: ignore[misc]


def test_the_counts_of_both_tables() -> None:
    assert sum(SUGARCREPE.values()) == 7511
    assert sum(valid for _, valid in VALSE.values()) == 7702
    assert sum(every for every, _ in VALSE.values()) == 8782


@pytest.mark.parametrize("task", ["sugarcrepe", "valse"])
def test_every_row_is_read_as_it_stands(task: str, shared: Path, tmp_path: Path) -> None:
    rows = wanted(shared, task)
    sizes = SUGARCREPE if task == "sugarcrepe" else {n: valid for n, (_, valid) in VALSE.items()}
    assert {n: len(found) for n, found in rows.items()} == sizes
    if task == "valse":
        assert {n: len(table(shared, task, n)) for n in VALSE} == {n: every for n, (every, _) in VALSE.items()}
    (tmp_path / task).symlink_to(shared / "reference" / "annotations" / task)
    names = {image for found in rows.values() for image, _, _ in found}
    write_tar(tmp_path / "images.tar", dict.fromkeys(sorted(names), BLANK))
    loaded = TASKS[task].load(TaskOptions(tmp_path))
    assert {s.name for s in loaded.subsets} == set(sizes)
    for subset in loaded.subsets:
        assert isinstance(subset, Grid)
        assert subset.missing == 0
        read = [(p.where.split(":")[-1], *c) for (p,), c in zip(subset.images, subset.texts)]
        assert read == rows[subset.name]
        assert all(true != false for _, true, false in read)


@pytest.mark.parametrize("task", ["sugarcrepe", "valse"])
def test_every_row_is_scored_or_counted_as_missing(task: str, shared: Path, tmp_path: Path) -> None:
    """With the 300 photos at hand: each row is measured, or missing because its photo is."""
    import tarfile

    with tarfile.open(shared / "data" / "coco_val2017_300" / "images.tar") as archive:
        photos = {Path(name).name for name in archive.getnames()}

    class Blind(RandomModel):
        """Sees nothing, so that no photo need be decoded slowly; reads captions by their hash."""

        def encode_image(self, images: Any, batch_size: int = 64) -> np.ndarray:
            return np.eye(1, self.width).repeat(len(images), 0)

    root = shared_photos(tmp_path, shared, task)
    entry = evaluate(Blind(), task, root, controls=False)["tasks"][task]
    for name, rows in wanted(shared, task).items():
        here = sum(image in photos for image, _, _ in rows)
        subset = entry["subsets"][name]
        assert (subset["n"], subset["missing"]) == (here, len(rows) - here)
        assert (subset["accuracy"] is None) == (here == 0)


def test_vl_checklist_reads_the_56_corpora_that_its_project_names(tmp_path: Path) -> None:
    """ANNO_PATH and IMG_ROOT of corpus/v1/**/*.yaml, github.com/om-ai-lab/VL-CheckList at commit 6f8d6a3."""
    lines = (Path(__file__).parent / "official" / "vl_checklist.txt").read_text().splitlines()
    corpora = [line.split() for line in lines]
    assert len(corpora) == 56
    for k, (path, folder) in enumerate(corpora):
        write(tmp_path / "vl_checklist" / path, [[f"{k}.jpg", {"POS": [f"a {k}"], "NEG": ["b"]}]])
        write(tmp_path / folder / f"{k}.jpg", BLANK)
    loaded = TASKS["vl_checklist"].load(TaskOptions(tmp_path))
    absent = TASKS["vl_checklist"].absent(loaded)
    assert set(absent) == {"rows"}  # a row each, of thousands
    assert absent["rows"]["Relation_spatial/vg/spatial"] == 30_650 - 1
    assert {s.captions()[0] for s in loaded.subsets} == {f"a {k}" for k in range(56)}
    counts = {s.name: len(s.image_refs()) for s in loaded.subsets}
    assert next(iter(TASKS["vl_checklist"].rules(counts))) == "mean of groups"
    for path in ("data/Relation/vg/spatial.json", "data/Attribute/vaw/size.json"):
        (tmp_path / "vl_checklist" / path).unlink()
    part = TASKS["vl_checklist"].load(TaskOptions(tmp_path))
    lost = ["Attribute_size/vaw/size", "Relation_spatial/vg/spatial"]
    assert TASKS["vl_checklist"].absent(part)["sets"] == lost
    counts = {s.name: len(s.image_refs()) for s in part.subsets}
    assert next(iter(TASKS["vl_checklist"].rules(counts))) == "mean of groups (54 of 56 sets)"
