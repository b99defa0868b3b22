"""More benchmarks in their official layouts, with the score worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.evaluation.fakes import Table, picture, plain_titles, png, write
from tests.evaluation.test_benchmarks import JUDGE, Seer, images, score

from compoclip.errors import InputError
from compoclip.evaluation import TASKS, aggregate, evaluate, individual
from compoclip.evaluation.aggregate import MMVP
from compoclip.evaluation.task import DataMissing

# Pictures by how well they fit any caption: 0 best, 1 and 2 alike, 3 worst.
FIT = Table(
    {(i, 0, 0): v for i, v in enumerate(([1.0, 0.0], [0.9, 0.4], [0.9, 0.4], [0.1, 1.0]))}, lambda t: [1.0, 0.0]
)


def svo(*rows: tuple[str, int, int, str]) -> str:
    """Lines of (sentence, true image, false image, kinds that are false)."""
    head = "sentence,pos_triplet,neg_triplet,subj_neg,verb_neg,obj_neg,pos_image_id,neg_image_id\n"
    return head + "".join(
        f'{s},"a,b,c","a,b,d",{"s" in kinds},{"v" in kinds},{"o" in kinds},{pos},{neg}\n' for s, pos, neg, kinds in rows
    )


def test_svo_takes_rows_with_one_false_part_and_each_once(tmp_path: Path) -> None:
    rows = [
        ("a", 0, 1, "s"),
        ("a", 0, 1, "s"),  # a copy
        ("b", 1, 2, "s"),  # a tie: wrong
        ("c", 3, 0, "v"),
        ("d", 0, 3, "sv"),  # two false parts
        ("e", 1, 3, "o"),
        ("f", 1, 77, "o"),  # no such image
    ]
    write(tmp_path / "svo_probes" / "svo_probes.csv", svo(*rows))
    images(tmp_path / "svo_probes" / "images", *(f"{i}.jpg" for i in range(4)))
    entry = score(FIT, "svo_probes", tmp_path)
    assert [(n, s["accuracy"], s["n"], s["missing"]) for n, s in entry["subsets"].items()] == [
        ("subj_neg", 50.0, 2, 0),
        ("verb_neg", 0.0, 1, 0),
        ("obj_neg", 100.0, 1, 1),
    ]
    assert entry["subsets"]["subj_neg"]["ties"] == 1
    assert entry["score"] == pytest.approx(50.0)
    assert entry["chance"] == 50.0


def imagecode(root: Path) -> None:
    for folder in ("video-1", "open-images-2"):
        for place, i in enumerate((3, 1, 0, 3, 3, 3, 3, 3, 3, 3)):
            write(root / "image-sets" / folder / f"img{place + 1}.jpg", png(picture(i)))  # img10 sorts after img9


def test_imagecode_sorts_by_number_and_pools(tmp_path: Path) -> None:
    root = tmp_path / "imagecode"
    imagecode(root)
    table = {"video-1": {"2": "x", "1": "y", "9": "z"}, "open-images-2": {"2": "x"}, "video-9": {"0": "gone"}}
    write(root / "valid_data.json", table)
    entry = score(FIT, "imagecode", tmp_path)
    assert entry["subsets"]["videos"]["accuracy"] == pytest.approx(100 / 3)
    assert entry["subsets"]["videos"]["missing"] == 1
    assert entry["subsets"]["static"]["accuracy"] == 100.0
    assert entry["score"] == 50.0
    assert entry["chance"] == 10.0
    write(root / "valid_data.json", {"video-1": {"first": "x"}})
    with pytest.raises(InputError, match="set video-1: place 'first'"):
        score(FIT, "imagecode", tmp_path)


def test_imagecode_says_where_the_images_must_be(tmp_path: Path) -> None:
    write(tmp_path / "imagecode" / "valid_data.json", {"video-1": {"2": "x"}})
    with pytest.raises(DataMissing, match=r"image-sets; put image-sets.zip there"):
        score(FIT, "imagecode", tmp_path)


def test_spec_both_ways(tmp_path: Path) -> None:
    for folder in dict.fromkeys(part.split("::")[0] for part in TASKS["spec"].parts):
        base = tmp_path / "spec" / folder
        images(base / "images", *(f"{i}.png" for i in range(4)))
        texts = {"query": "images/0.png", "keys": ["bad a", "good b", "fair c"], "label": 1}
        write(base / "image2text.json", [texts, texts | {"label": 0}])
        write(base / "text2image.json", [{"query": "good x", "keys": ["images/3.png", "images/0.png"], "label": 1}])
    model = Table(FIT.image_table, JUDGE.text_rule)
    entry = score(model, "spec", tmp_path)
    assert entry["scores"]["i2t"] == 50.0
    assert entry["scores"]["t2i"] == 100.0
    assert entry["score"] == 75.0
    assert aggregate("fsc-clip", individual({"tasks": {"spec": entry}}))["spec"] == pytest.approx(75.0)
    write(tmp_path / "spec" / "count" / "image2text.json", [{"query": "images/0.png", "keys": ["a"], "label": 1}])
    with pytest.raises(InputError, match="row 0: label 1 is outside its 1 keys"):
        score(model, "spec", tmp_path)


def checklist(*judged: str) -> list:
    """Rows whose positive caption is "good" and negative "bad", or the other way round."""
    return [["0.jpg", {"POS": [w], "NEG": ["bad x" if w.startswith("good") else "good x"]}] for w in judged]


def test_vl_checklist_is_macro_over_groups_leaves_sources_and_files(tmp_path: Path) -> None:
    data = tmp_path / "vl_checklist" / "data"
    files = {
        "Object/Location/hake_location/hake_obj_center.json": checklist("good a"),
        "Object/Location/swig_location/swig_agent/swig_agent_center.json": checklist("bad a"),
        "Object/Location/swig_location/swig_item/swig_item_center.json": checklist("good a"),
        "Object/Location/vg_location/vg_obj_center.json": checklist("bad a", "bad b"),
        "Object/Size/vg_size/vg_subj_large.json": checklist("good a"),
        "Attribute/vg/color.json": checklist("good a", "good b", "bad c"),
        "Attribute/vaw/color.json": checklist("good a"),
        "Relation/vg/spatial.json": [*checklist("bad a"), ["gone.jpg", {"POS": ["good"], "NEG": ["bad"]}]],
        "Relation/vg/action.json": [],
    }
    for name, rows in files.items():
        write(data / name, rows)
    images(tmp_path / "vl_checklist" / "images", "0.jpg")
    entry = score(JUDGE, "vl_checklist", tmp_path)
    center = 100 * (1 + 0.5 + 0) / 3
    color = 100 * (2 / 3 + 1) / 2
    scores = plain_titles(entry["scores"])
    assert scores["Object_Location_center"] == pytest.approx(center)
    assert scores["Object"] == pytest.approx((center + 100) / 2)
    assert entry["score"] == pytest.approx(((center + 100) / 2 + color + 0) / 3)
    assert entry["subsets"]["Relation_spatial/vg/spatial"]["missing"] == 1
    figures = individual({"tasks": {"vl_checklist": entry}})
    assert figures["vl_checklist::Attribute_color"] == pytest.approx(color)
    assert "vl_checklist::Object_Location_center" not in figures  # four of its seven files are there
    write(data / "Relation" / "vg" / "spatial.json", [["0.jpg", {"POS": ["a"]}]])
    with pytest.raises(InputError, match="row 0 must be"):
        score(JUDGE, "vl_checklist", tmp_path)


def test_vl_checklist_takes_the_first_thousand_rows_that_have_images(tmp_path: Path) -> None:
    gone = [["gone.jpg", {"POS": ["good"], "NEG": ["bad"]}]]
    rows = [*gone * 7, *checklist(*["good a"] * 1000), *checklist(*["bad a"] * 50)]
    write(tmp_path / "vl_checklist" / "data" / "Relation" / "vg" / "spatial.json", rows)
    images(tmp_path / "vl_checklist" / "images", "0.jpg")
    found = score(JUDGE, "vl_checklist", tmp_path)["subsets"]["Relation_spatial/vg/spatial"]
    assert (found["n"], found["accuracy"], found["missing"]) == (1000, 100.0, 7)


def test_mmvp_pairs_lines_and_averages_categories(tmp_path: Path) -> None:
    root = tmp_path / "mmvp_vlm"
    lines = ["Question ID,Type,Statement"]
    for category, texts in ((MMVP[0], ("0 2", "1 2")), (MMVP[5], ("0 1", "0 1"))):
        number = len(lines)
        lines += [f"{number + k},{category},{text}" for k, text in enumerate(texts)]
        images(root / "MLLM_VLM Images" / category, f"{number}.jpg", f"{number + 1}.jpg")
    write(root / "Questions.csv", "\n".join(lines) + "\n")

    class Prompted(Seer):
        def encode_text(self, texts, batch_size=64):  # type: ignore[no-untyped-def]
            assert all(t.startswith("a photo of ") for t in texts)
            return super().encode_text([t.removeprefix("a photo of ") for t in texts])

    entry = score(Prompted(), "mmvp_vlm", tmp_path)
    assert entry["subsets"][MMVP[0]]["group"] == 100.0
    assert entry["subsets"][MMVP[5]]["group"] == 0.0
    assert entry["score"] == 50.0
    write(root / "Questions.csv", "\n".join(lines[:-1]) + "\n")
    with pytest.raises(InputError, match="3 lines, but each pair needs two"):
        score(Prompted(), "mmvp_vlm", tmp_path)


def test_figures_get_the_published_names(tmp_path: Path) -> None:
    root = tmp_path / "winoground"
    row = {"image_0": "img_0", "image_1": "img_1", "caption_0": "0 2", "caption_1": "1 2"}
    write(root / "examples.jsonl", json.dumps(row))
    images(root / "images", "img_0.png", "img_1.png")
    for name in ("cifar10", "mine"):
        for k in range(2):
            write(tmp_path / "zeroshot" / name / f"{k}" / "0.png", png(picture(k)))
        write(tmp_path / "zeroshot" / name / "templates.txt", "{} 1\n")
    found = individual(evaluate(Seer(), "winoground,zeroshot", tmp_path))
    assert {k: v for k, v in found.items() if k.startswith("winoground")} == {
        "winoground::text": 100.0,
        "winoground::image": 100.0,
        "winoground::group": 100.0,
    }
    assert found["elevator::cifar10"] == found["zeroshot::mine"] == 100.0
    assert aggregate("vl_compo", found)["winoground"] == 100.0
