"""Readers of what users have: official layouts, folders, tars, zips; and one clear line for what is wrong."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from tests.evaluation.fakes import RandomModel, Table, picture, png, shared_photos, write, write_tar

from compoclip.errors import InputError
from compoclip.evaluation import TASKS, list_tasks
from compoclip.evaluation.aggregate import SIZES
from compoclip.evaluation.evaluate import evaluate
from compoclip.evaluation.locations import rows_of
from compoclip.evaluation.scoring import ZeroShot
from compoclip.evaluation.task import DataMissing, TaskOptions
from compoclip.evaluation.tasks import retrieval

PHOTOS = {f"{i:012d}.jpg": png(picture(i)) for i in range(3)}


def crepe_rows(n: int, file: int = 0) -> dict[str, dict[str, str]]:
    """Row i is true where its caption says "good"; ids are not contiguous, as in the official files."""
    return {
        str(3 * i): {"filename": f"{file:012d}.jpg", "caption": f"good {i}", "negative_caption": f"bad {i}"}
        for i in range(n)
    }


def crepe(root: Path, photos: str = "sugarcrepe/images", sizes: dict[str, int] | None = None) -> Path:
    for name, n in (sizes or dict.fromkeys(SIZES, 2)).items():
        write(root / "sugarcrepe" / f"{name}.json", crepe_rows(n))
    if photos.endswith(".tar"):
        write_tar(root / photos, PHOTOS)
    else:
        for name, data in PHOTOS.items():
            write(root / photos / name, data)
    return root


def judge(text: str) -> list[float]:
    """A model that calls "good" captions true, "bad" ones false, and cannot tell "same" ones apart."""
    return [1.0, 0.2] if text.startswith("good") else [1.0, 0.0] if text.startswith("same") else [0.2, 1.0]


JUDGE = Table({(i, 0, 0): [1.0, 0.0] for i in range(3)}, judge)


@pytest.mark.parametrize("photos", ["sugarcrepe/images", "val2017", "coco/val2017.tar", "images.tar"])
def test_sugarcrepe_finds_photos_where_people_keep_them(tmp_path: Path, photos: str) -> None:
    got = evaluate(JUDGE, "sugarcrepe", crepe(tmp_path, photos))["tasks"]["sugarcrepe"]
    assert got["score"] == 100.0
    assert got["rule"] == "vl_compo"
    assert got["chance"] == 50.0


def test_sugarcrepe_counts_missing_rows_and_ties_and_names_every_average(tmp_path: Path) -> None:
    root = crepe(tmp_path)
    rows = crepe_rows(4) | {"90": {"filename": "none.jpg", "caption": "good", "negative_caption": "bad"}}
    rows["0"] = {"filename": f"{1:012d}.jpg", "caption": "same 1", "negative_caption": "same 2"}
    rows["3"] = {"filename": f"{1:012d}.jpg", "caption": "bad 1", "negative_caption": "good 2"}
    write(root / "sugarcrepe" / "swap_obj.json", rows)
    got = evaluate(JUDGE, "sugarcrepe", root)["tasks"]["sugarcrepe"]
    subset = got["subsets"]["swap_obj"]
    assert (subset["n"], subset["missing"], subset["ties"], subset["accuracy"]) == (4, 1, 1, 50.0)
    swap = (245 * 50 + 666 * 100) / (245 + 666)
    assert got["scores"]["vl_compo"] == pytest.approx((100 + swap + 100) / 3)
    assert got["scores"]["macro7"] == pytest.approx(650 / 7)
    assert got["scores"]["micro"] == pytest.approx(100 * 14 / 16)
    assert got["scores"]["micro_without_add"] == pytest.approx(100 * 10 / 12)
    assert evaluate(JUDGE, "sugarcrepe", root, ties="first")["tasks"]["sugarcrepe"]["subsets"]["swap_obj"][
        "accuracy"
    ] == pytest.approx(75.0)


def test_sugarcrepe_without_every_file_has_no_vl_compo_average(tmp_path: Path) -> None:
    got = evaluate(JUDGE, "sugarcrepe", crepe(tmp_path, sizes={"swap_obj": 3, "add_att": 1}))["tasks"]["sugarcrepe"]
    assert got["rule"] == "micro (2 of 7 sets)"
    assert set(got["absent"]["sets"]) == set(SIZES) - {"swap_obj", "add_att"}


def test_sugarcrepe_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match=r"--data-root"):
        evaluate(JUDGE, "sugarcrepe")
    with pytest.raises(DataMissing, match=r"none of replace_obj.json.* found; looked in .*sugarcrepe"):
        evaluate(JUDGE, "sugarcrepe", tmp_path)
    for name in SIZES:
        write(tmp_path / "sugarcrepe" / f"{name}.json", crepe_rows(1))
    with pytest.raises(DataMissing, match=r"no image such as 000000000000.jpg.*val2017"):
        evaluate(JUDGE, "sugarcrepe", tmp_path)
    with pytest.raises(DataMissing, match="no such folder"):
        evaluate(JUDGE, "sugarcrepe", tmp_path / "absent")


def test_sugarcrepe_names_a_bad_row(tmp_path: Path) -> None:
    root = crepe(tmp_path)
    write(root / "sugarcrepe" / "add_att.json", {"17": {"filename": "a.jpg", "caption": "x"}})
    with pytest.raises(InputError, match=r"add_att.json: row 17 needs"):
        evaluate(JUDGE, "sugarcrepe", root)
    write(root / "sugarcrepe" / "add_att.json", '{"1": {"filename": ')
    with pytest.raises(InputError, match=r"add_att.json: line 1 is not valid JSON"):
        evaluate(JUDGE, "sugarcrepe", root)


def test_sugarcrepe_reads_every_official_row(shared: Path, tmp_path: Path) -> None:
    for name, size in SIZES.items():
        rows = rows_of(shared / "reference" / "annotations" / "sugarcrepe" / f"{name}.json")
        assert len(rows) == size
    loaded = TASKS["sugarcrepe"].load(TaskOptions(shared_photos(tmp_path, shared, "sugarcrepe")))
    assert sum(len(s.image_refs()) for s in loaded.subsets) == 444
    assert sum(s.missing for s in loaded.subsets) == 7511 - 444


def test_retrieval_from_a_table_with_splits(tmp_path: Path) -> None:
    folder = tmp_path / "retrieval" / "mine"
    write(
        folder / "captions.tsv",
        'image\tcaption\tsplit\n0.png\tone\ttest\n0.png\t"quoted ""word"""\ttest\n'
        "1.png\ttwo\ttrain\n2.png\tthree\ttest\n",
    )
    for i in range(2):
        write(folder / "images" / f"{i}.png", png(picture(i)))
    subset = TASKS["retrieval"].load(TaskOptions(tmp_path)).subsets[0]
    assert subset.name == "mine"
    assert subset.texts == [["one", 'quoted "word"']]  # type: ignore[attr-defined]
    assert subset.missing == 1
    got = evaluate(RandomModel(), "retrieval", tmp_path)
    assert set(got["tasks"]["retrieval"]["subsets"]) == {"mine/i2t", "mine/t2i"}
    assert got["summary"]["i2t"] == 100.0
    assert got["summary"]["comp"] is None


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_retrieval_reads_other_tables(tmp_path: Path, suffix: str) -> None:
    rows = [("0.png", 'a, "b"\nand c'), ("1.png", "d")]
    if suffix == "csv":
        text = 'filepath,title\n0.png,"a, ""b""\nand c"\n1.png,d\n'
    else:
        text = "\n".join(json.dumps({"image": i, "captions": [c, c + " too"]}) for i, c in rows)
    write(tmp_path / f"captions.{suffix}", text)
    for i in range(2):
        write(tmp_path / f"{i}.png", png(picture(i)))
    got = {sample.image_id: sample.captions for sample in retrieval.open_set(tmp_path)}
    assert got["0.png"][0] == 'a, "b" and c'
    assert [len(v) for v in got.values()] == ([1, 1] if suffix == "csv" else [2, 2])


def test_a_tsv_with_a_quote_that_never_closes_is_read_as_letters(tmp_path: Path) -> None:
    write(tmp_path / "captions.tsv", 'image\tcaption\n0.png\t"he said\n1.png\tplain\n')
    for i in range(2):
        write(tmp_path / f"{i}.png", png(picture(i)))
    assert [sample.captions for sample in retrieval.open_set(tmp_path)] == [('"he said',), ("plain",)]


def test_retrieval_from_webdataset_tars(tmp_path: Path) -> None:
    train = {"x.jpg": png(picture(9)), "x.json": b'{"captions": ["no"]}'}
    write_tar(tmp_path / "mine" / "train-00000.tar", train)
    members = {"a.jpg": png(picture(0)), "a.json": b'{"captions": ["one", "two"]}', "b.jpg": png(picture(1))}
    write_tar(tmp_path / "mine" / "test-00000.tar", members | {"b.txt": b"three\nfour\n"})
    subset = TASKS["retrieval"].load(TaskOptions(tmp_path)).subsets[0]
    assert subset.texts == [["one", "two"], ["three", "four"]]  # type: ignore[attr-defined]
    assert [p.load().getpixel((0, 0))[0] for p in subset.image_refs()] == [0, 1]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("image\tcaption\n0.png\t\n", r"no usable sample: .*1 empty caption \(first: .*captions.tsv:2"),
        ("a\tb\n0.png\tx\n", r"no image column found \(columns: a, b\)"),
        ("image\tcaption\n", "no usable sample"),
        ("image\tcaption\nnone.png\tx\n", "1 missing image .*'none.png' is not in"),
    ],
)
def test_bad_caption_tables_are_named(tmp_path: Path, text: str, says: str) -> None:
    write(tmp_path / "captions.tsv", text)
    write(tmp_path / "images" / "0.png", png(picture(0)))
    with pytest.raises(InputError, match=says):
        TASKS["retrieval"].load(TaskOptions(tmp_path))


def test_bad_shards_are_named(tmp_path: Path) -> None:
    write_tar(tmp_path / "r" / "t-0.tar", {"a.jpg": b"x", "a.json": b"{}"})
    with pytest.raises(InputError, match=r"1 no caption \(first: .*a\.json"):
        TASKS["retrieval"].load(TaskOptions(tmp_path))
    write_tar(tmp_path / "r" / "t-0.tar", {"a.jpg": b"x", "a.json": b'{"captions": ["x"]}', "b.jpg": b"x"})
    subset = TASKS["retrieval"].load(TaskOptions(tmp_path))
    assert subset.subsets[0].texts == [["x"]]  # type: ignore[attr-defined]
    assert "1 image without a caption file (first" in str(subset.found["read"])
    empty = tmp_path / "r" / "empty"
    empty.mkdir()
    with pytest.raises(DataMissing, match="looked at"):
        TASKS["retrieval"].load(TaskOptions(empty))


def classes(root: Path, kind: str) -> Path:
    members = {f"{c}/{i}.png": png(picture(10 * k + i)) for k, c in enumerate(["big_cat", "dog"]) for i in range(3)}
    if kind == "folder":
        for name, data in members.items():
            write(root / name, data)
    elif kind == "tar":
        write_tar(root / "images.tar", {"set/" + n: d for n, d in members.items()})
    else:
        root.mkdir(parents=True)
        with zipfile.ZipFile(root / "images.zip", "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data)
    return root


@pytest.mark.parametrize("kind", ["folder", "tar", "zip"])
def test_zeroshot_layouts(tmp_path: Path, kind: str) -> None:
    classes(tmp_path / "zeroshot" / "pets", kind)
    subset = TASKS["zeroshot"].load(TaskOptions(tmp_path)).subsets[0]
    assert isinstance(subset, ZeroShot)
    assert subset.class_names == ["big cat", "dog"]
    assert subset.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert subset.prompts == ["a photo of a big cat.", "a photo of a dog."]
    limited = TASKS["zeroshot"].load(TaskOptions(tmp_path, limit=2)).subsets[0]
    assert isinstance(limited, ZeroShot)
    assert limited.labels.tolist() == [0, 1]


def test_zeroshot_names_templates_and_metric(tmp_path: Path) -> None:
    root = classes(tmp_path / "zeroshot" / "pets", "folder")
    write(root / "classnames.txt", "# order of folders\nlion\nhound\n")
    write(root / "templates.txt", "a {} here\nthe {c}\n")
    write(root / "metric.txt", "mean_per_class\n")
    tell = {"a lion here": [1.0, 0], "the lion": [1.0, 0], "a hound here": [0, 1.0], "the hound": [0, 1.0]}
    colours = {(10 * k + i, 0, 0): ([1.0, 0] if i < 2 else [0, 1.0]) for k in (0, 1) for i in range(3)}
    got = evaluate(Table(colours, lambda t: tell[t]), "zeroshot", tmp_path)["tasks"]["zeroshot"]["subsets"]["pets"]
    assert got["accuracy"] == pytest.approx(100 * (2 / 3 + 1 / 3) / 2)
    assert (got["metric"], got["templates"], got["chance"]) == ("mean_per_class", 2, 50.0)
    write(root / "classnames.txt", "dog\thound\nbig_cat\tlion\n")
    subset = TASKS["zeroshot"].load(TaskOptions(tmp_path)).subsets[0]
    assert subset.class_names == ["lion", "hound"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("classnames.txt", "only one\n", "1 names for 2 class folders"),
        ("classnames.txt", "dog\thound\n", "no line for class folder 'big_cat'"),
        ("templates.txt", "no braces\n", "template 1"),
        ("templates.txt", "\n", "no template"),
        ("metric.txt", "f1\n", "metric 'f1' is unknown"),
    ],
)
def test_bad_zeroshot_files_are_named(tmp_path: Path, file: str, text: str, says: str) -> None:
    write(classes(tmp_path / "zeroshot" / "pets", "folder") / file, text)
    with pytest.raises(InputError, match=says):
        TASKS["zeroshot"].load(TaskOptions(tmp_path))


def test_zeroshot_needs_classes(tmp_path: Path) -> None:
    write(tmp_path / "zeroshot" / "x" / "one" / "0.png", png(picture(0)))
    with pytest.raises(DataMissing, match="two or more class folders"):
        TASKS["zeroshot"].load(TaskOptions(tmp_path))
    with pytest.raises(DataMissing, match="looked for"):
        TASKS["zeroshot"].load(TaskOptions(tmp_path / "zeroshot" / "x" / "one"))


def test_a_broken_image_is_named(tmp_path: Path) -> None:
    root = classes(tmp_path / "zeroshot" / "pets", "folder")
    write(root / "dog" / "1.png", b"no image")
    with pytest.raises(InputError, match=r"dog/1.png: not an image"):
        evaluate(RandomModel(), "zeroshot", tmp_path)


def test_world_measures_all_four_figures_near_chance_for_a_random_model() -> None:
    got = evaluate(RandomModel(64), "world", limit=60)
    entry = got["tasks"]["world"]
    assert entry["rule"] == "needs the image"
    assert entry["chance"] == pytest.approx((4 * 50 + 100 / 6) / 5)
    assert abs(entry["score"] - entry["chance"]) < 12
    assert entry["scores"]["needs the image"] == entry["score"]
    assert entry["weights"]["text alone can do it"].keys() == {"word-order", "add-attribute"}
    low, high = entry["score_ci95"]
    assert low < entry["score"] < high
    assert set(got["summary"]) == {"comp", "zeroshot", "i2t", "t2i"}
    assert got["summary"]["comp"] == pytest.approx(entry["score"])
    styles = [s["accuracy"] for n, s in entry["subsets"].items() if n.startswith("zeroshot/")]
    assert len(styles) >= 5
    assert got["summary"]["zeroshot"] == pytest.approx(np.mean(styles))
    assert all(s["n"] == 60 for n, s in entry["subsets"].items() if "/" not in n)
    halves = entry["subsets"]["half-truths"]
    assert halves["controls"]["shorter"] == 0.0  # of which 100 % of the half-truths are told: hence the order of three
    assert halves["half_truth"] >= halves["accuracy"] == halves["cor"]
    assert {name: part["n"] for name, part in halves["by"]["unit"].items()} == {"entity": 30, "relation": 30}
    assert entry["scores"]["half-truths COR"] == halves["cor"]


def test_world_is_the_same_every_time() -> None:
    one, two = (evaluate(RandomModel(16), "world", limit=8)["tasks"]["world"]["subsets"] for _ in range(2))
    assert one == two


def test_facts_of_every_task_are_told() -> None:
    facts = list_tasks()
    assert [f["name"] for f in facts] == list(TASKS)
    assert all(all(value for value in f.values()) for f in facts)
