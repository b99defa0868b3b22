"""Each benchmark in its official layout with a few made rows, and the score worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.evaluation.fakes import Table, picture, png, shared_photos, write, write_tar

from compoclip.errors import InputError
from compoclip.evaluation import evaluate
from compoclip.evaluation.task import TaskOptions
from compoclip.evaluation.tasks import TASKS, aro
from compoclip.evaluation.tasks.aro import excluded_relations

ANGLES = {"best": 0.0, "good": 0.3, "same": 0.3, "fair": 0.6, "bad": 1.2}


def judge(text: str) -> list[float]:
    """The first word tells how well a caption fits any picture: best > good = same > fair > bad."""
    angle = ANGLES[text.split()[0]]
    return [np.cos(angle), np.sin(angle)]


JUDGE = Table({(i, 0, 0): [1.0, 0.0] for i in range(256)}, judge)


class Seer(Table):
    """For two-by-two rows: picture k lies along axis k, a caption "k w" has weight w on axis k and the rest on none."""

    def __init__(self) -> None:
        super().__init__({(i, 0, 0): np.eye(1, 9, i)[0].tolist() for i in range(8)}, self.read)

    @staticmethod
    def read(text: str) -> list[float]:
        out = [0.0] * 8 + [1.0]
        for part in text.split(","):
            axis, weight = part.split()
            out[int(axis)] = float(weight)
        return out


def score(model: Any, task: str, root: Path, **kwargs: Any) -> dict[str, Any]:
    return evaluate(model, task, root, controls=False, **kwargs)["tasks"][task]


def images(root: Path, *names: str) -> None:
    for i, name in enumerate(names):
        write(root / name, png(picture(i)))


def two_by_two_rows(fields: tuple[str, str, str, str], suffix: str = "") -> list[dict[str, str]]:
    """Row 0: all right. Row 1: each image finds its caption, but not each caption its image. Row 2: a tie."""
    made = [("0 2,1 0", "0 0,1 2"), ("0 1,1 2", "0 0,1 3"), ("0 1,1 1", "0 1,1 1")]
    keys = ("img_0", "img_1")
    return [dict(zip(fields, (keys[0] + suffix, keys[1] + suffix, *texts))) for texts in made]


def check_two_by_two(entry: dict[str, Any], subset: str) -> None:
    found = entry["subsets"][subset]
    # row 1 is scored on unit features: c0 = (1, 2, .., 1)/sqrt 6, c1 = (0, 3, .., 1)/sqrt 10
    assert found["text"] == pytest.approx(200 / 3)
    assert found["image"] == pytest.approx(100 / 3)
    assert found["group"] == pytest.approx(100 / 3)
    assert found["n"] == 3
    assert found["ties"] == 1


@pytest.mark.parametrize("zipped", [False, True])
def test_winoground(tmp_path: Path, zipped: bool) -> None:
    rows = two_by_two_rows(("image_0", "image_1", "caption_0", "caption_1"))
    rows.append(rows[0] | {"image_1": "not_there"})
    root = tmp_path / "winoground" / "data"
    write(root / "examples.jsonl", "\n".join(json.dumps(r | {"id": i}) for i, r in enumerate(rows)))
    members = {f"images/img_{i}.png": png(picture(i)) for i in range(2)}
    if zipped:
        import zipfile

        with zipfile.ZipFile(root / "images.zip", "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data)
    else:
        images(root / "images", "img_0.png", "img_1.png")
    entry = score(Seer(), "winoground", tmp_path)
    check_two_by_two(entry, "all")
    assert entry["subsets"]["all"]["missing"] == 1
    assert entry["score"] == pytest.approx(100 / 3)


def test_colorswap(tmp_path: Path) -> None:
    rows = two_by_two_rows(("image_1", "image_2", "caption_1", "caption_2"), ".png")
    root = tmp_path / "colorswap" / "data"
    write(root / "test.json", [r | {k: "images/" + r[k] for k in ("image_1", "image_2")} for r in rows])
    images(root / "images", "img_0.png", "img_1.png")
    check_two_by_two(score(Seer(), "colorswap", tmp_path), "test")


def test_eqben_averages_kubric_first_and_reads_arrays(tmp_path: Path) -> None:
    fields = ("image0", "image1", "caption0", "caption1")
    perfect, wrong = two_by_two_rows(fields)[0], two_by_two_rows(fields)[2]
    rows = []
    for folder, made in (("eqbenkubric_loc", perfect), ("eqbenkubric_cnt", wrong), ("eqbenkubric_attr", wrong)):
        rows.append(made | {"image0": f"{folder}/img_0.jpg", "image1": f"{folder}/img_1.jpg"})
    rows.append(perfect | {"image0": "eqbenyoucook2/0.npy", "image1": "eqbenyoucook2/1.npy"})
    rows[-1]["caption0"] = [rows[-1]["caption0"]]  # type: ignore[assignment]
    root = tmp_path / "eqben"
    write(root / "eqben.json", rows)
    for row in rows[:3]:
        images(root / "images", row["image0"], row["image1"])
    for i in range(2):
        blue_green_red = np.zeros((4, 4, 3), np.uint8)
        blue_green_red[..., 2] = i
        (root / "images" / "eqbenyoucook2").mkdir(parents=True, exist_ok=True)
        np.save(root / "images" / "eqbenyoucook2" / f"{i}.npy", blue_green_red)
    entry = score(Seer(), "eqben", tmp_path)
    assert entry["score"] == pytest.approx((100 + 100 / 3) / 2)
    np.save(root / "images" / "eqbenyoucook2" / "1.npy", np.zeros((4, 4)))
    with pytest.raises(InputError, match=r"1\.npy: an array of \(height, width, 3\) bytes"):
        score(Seer(), "eqben", tmp_path)


def test_cola_reads_lists_with_addresses_and_scores_images(tmp_path: Path) -> None:
    rows = two_by_two_rows(("image_0", "image_1", "caption_0", "caption_1"), ".jpg")
    made = [
        ["https://x.edu/vg/" + r["image_0"], r["caption_0"], "https://x.edu/vg/" + r["image_1"], r["caption_1"]]
        for r in rows
    ]
    root = tmp_path / "cola"
    write(root / "COLA_multiobjects_matching_benchmark.json", made)
    images(root / "images", "img_0.jpg", "img_1.jpg")
    entry = score(Seer(), "cola", tmp_path)
    assert entry["score"] == pytest.approx(100 / 3)
    assert entry["chance"] == 25.0


def test_vismin_and_counterfactuals(tmp_path: Path) -> None:
    rows = two_by_two_rows(("image_0", "image_1", "text_0", "text_1"), ".png")
    categories = ("object", "object", "count")
    lines = [json.dumps(r | {"category": c}) for r, c in zip(rows, categories)]
    write(tmp_path / "vismin" / "test.jsonl", "\n".join(lines))
    images(tmp_path / "vismin" / "images", "img_0.png", "img_1.png")
    assert score(Seer(), "vismin", tmp_path)["score"] == pytest.approx((50 + 0) / 2)
    rows = two_by_two_rows(("image_0", "image_1", "caption_0", "caption_1"))
    root = tmp_path / "coco_counterfactuals" / "data"
    write(root / "examples.jsonl", "\n".join(json.dumps(r) for r in rows))
    images(root / "images", "img_0.jpg", "img_1.jpg")
    check_two_by_two(score(Seer(), "coco_counterfactuals", tmp_path), "all")


def test_bad_two_by_two_rows_are_named(tmp_path: Path) -> None:
    write(tmp_path / "winoground" / "examples.jsonl", '{"image_0": "a", "image_1": "b", "caption_0": "x"}')
    with pytest.raises(InputError, match="line 1 needs the texts image_0, image_1, caption_0, caption_1"):
        score(Seer(), "winoground", tmp_path)


def region(i: int, true: str, false: str, **extra: Any) -> dict[str, Any]:
    corner = {"bbox_x": 1, "bbox_y": 0, "bbox_w": 2, "bbox_h": 3}
    return {"image_path": f"{i}.jpg", "true_caption": true, "false_caption": false, **corner, **extra}


def test_aro_is_a_mean_over_relations_and_pairs_that_count(tmp_path: Path) -> None:
    root = tmp_path / "aro"
    left_out = min(excluded_relations())
    relations = [
        *[region(0, "good a", "bad a", relation_name="eating") for _ in range(3)],
        region(0, "bad a", "good a", relation_name="eating"),
        region(0, "same a", "good a", relation_name="riding"),  # a tie: wrong
        region(0, "good a", "bad a", relation_name="riding"),
        region(9, "good a", "bad a", relation_name="riding"),  # no such photo
        *[region(0, "bad a", "good a", relation_name=left_out) for _ in range(5)],
    ]
    attributes = [region(0, "good", "bad", attributes=["red", "old"]) for _ in range(25)]
    attributes += [region(0, "bad", "good", attributes=["old", "red"]) for _ in range(24)]  # too few to count
    orders = [
        {"image": "0.jpg", "caption_options": ["good a", "same b", "bad c", "bad d", "bad e"]},  # a tie: right
        {"image": "0.jpg", "caption_options": ["fair a", "good b", "bad c", "bad d", "bad e"]},
    ]
    write(root / "visual_genome_relation.json", relations)
    write(root / "visual_genome_attribution.json", attributes)
    write(root / "coco_order.jsonl", "\n".join(map(json.dumps, orders)))
    write(root / "flickr30k_order.jsonl", json.dumps(orders[0]))
    images(root / "images", "0.jpg")
    entry = score(JUDGE, "aro", tmp_path)
    relation = entry["subsets"]["VG_Relation"]
    assert relation["accuracy"] == pytest.approx(100 * (3 / 4 + 1 / 2) / 2)
    assert relation["pooled"] == pytest.approx(100 * 4 / 6)
    assert (relation["missing"], relation["ties"]) == (1, 1)
    assert (entry["subsets"]["VG_Attribute"]["n"], entry["subsets"]["VG_Attribute"]["accuracy"]) == (25, 100.0)
    assert entry["subsets"]["COCO_Order"]["accuracy"] == 50.0
    assert entry["subsets"]["COCO_Order"]["chance"] == pytest.approx(20.0)
    assert entry["score"] == pytest.approx((62.5 + 100 + 50 + 100) / 4)
    assert entry["scores"]["image-grounded (VG)"] == pytest.approx(81.25)
    assert entry["scores"]["word order"] == pytest.approx(75.0)
    assert score(JUDGE, "aro", tmp_path, ties="strict")["subsets"]["COCO_Order"]["accuracy"] == 0.0


def test_aro_reads_only_the_region(tmp_path: Path) -> None:
    image = picture(5)
    image.putpixel((1, 0), (7, 0, 0))
    write(tmp_path / "aro" / "images" / "0.png", png(image))
    row = region(0, "good", "bad", relation_name="eating") | {"image_path": "0.png"}
    write(tmp_path / "aro" / "visual_genome_relation.json", [row])
    subset = TASKS["aro"].load(TaskOptions(tmp_path)).subsets[0]
    cut = subset.image_refs()[0].load()
    assert cut.size == (2, 3)
    assert cut.getpixel((0, 0)) == (7, 0, 0)


def test_aro_exclusions_and_bad_rows(tmp_path: Path) -> None:
    assert len(excluded_relations()) == 157
    row: dict[str, Any] = {"relation_name": "eating", "image_path": "x", "true_caption": "a"}
    with pytest.raises(InputError, match=r"r.json: row 0 needs the texts image_path, true_caption, false_caption"):
        aro.ask("r.json: row 0", row)
    row["false_caption"] = "b"
    with pytest.raises(InputError, match="row 0 needs the numbers bbox_x"):
        aro.ask("r.json: row 0", row)
    with pytest.raises(InputError, match="row 0 needs attributes"):
        aro.ask("r.json: row 0", row | {"attributes": ["red"]})
    with pytest.raises(InputError, match="needs the texts image"):
        aro.ask("r.json: row 0", {})
    with pytest.raises(InputError, match="needs caption_options"):
        aro.ask("r.json: row 0", {"image": "x", "caption_options": ["one"]})


def valse_rows() -> dict[str, Any]:
    def row(caption: str, foil: str, agreed: int, image: str = "0.jpg") -> dict[str, Any]:
        return {"image_file": image, "caption": caption, "foil": foil, "mturk": {"caption": agreed, "foil": 0}}

    return {
        "a": row("good a", "bad a", 3),
        "b": row("bad b", "good b", 2),
        "c": row("bad c", "good c", 1),
        "d": row("good d", "bad d", 3, "none.jpg"),
    }


def test_valse_keeps_valid_rows_and_weighs_pieces(tmp_path: Path) -> None:
    for name in TASKS["valse"].parts:
        rows = valse_rows()
        if name == "existence":
            rows = {"a": rows["a"]}
        write(tmp_path / "valse" / f"{name}.json", rows)
    images(tmp_path / "valse" / "images", "0.jpg")
    entry = score(JUDGE, "valse", tmp_path)
    assert entry["subsets"]["plurals"]["accuracy"] == 50.0
    assert (entry["subsets"]["plurals"]["n"], entry["subsets"]["plurals"]["missing"]) == (2, 1)
    assert entry["score"] == pytest.approx((100 + 6 * 50) / 7)
    assert entry["scores"]["mean of 11"] == pytest.approx((100 + 10 * 50) / 11)


def test_valse_reads_every_official_row(shared: Path, tmp_path: Path) -> None:
    loaded = TASKS["valse"].load(TaskOptions(shared_photos(tmp_path, shared, "valse")))
    size = {s.name: len(s.image_refs()) + s.missing for s in loaded.subsets}
    assert sum(size.values()) == 7702
    assert (size["existence"], size["counting-adversarial"], size["coreference-hard"]) == (505, 691, 104)


def test_sugarcrepe_pp_by_hand(tmp_path: Path) -> None:
    def row(*captions: str) -> dict[str, Any]:
        return dict(zip(("filename", "caption", "caption2", "negative_caption"), ("0.jpg", *captions)))

    rows = [
        row("good a", "fair a", "bad a"),  # both above
        row("best a", "good a", "bad a"),  # both above, and alike
        row("good a", "bad a", "fair a"),  # one below
        row("good a", "same a", "same b"),  # ties everywhere
    ]
    write(tmp_path / "sugarcrepe_pp" / "swap_att.json", rows)
    images(tmp_path / "sugarcrepe_pp" / "images", "0.jpg")
    found = score(JUDGE, "sugarcrepe_pp", tmp_path)["subsets"]["swap_att"]
    assert found["accuracy"] == 50.0
    assert found["ties"] == 1
    # angles: 0.3 and 0.6 against 1.2 (0.3 apart, 0.6 from the false one): right; 0 and 0.3 against 1.2: right
    assert found["tot"] == 50.0
    assert found["chance"] == pytest.approx(100 / 3)


def test_whatsup_counts_ties_as_official(tmp_path: Path) -> None:
    root = tmp_path / "whatsup"
    options = [["good a", "same b", "bad c", "bad d"], ["bad a", "good b", "fair c", "bad d"]]
    rows = [{"image_path": f"data/controlled_images/{i}.jpeg", "caption_options": o} for i, o in enumerate(options)]
    write(root / "controlled_images_dataset.json", rows)
    write(root / "coco_qa_one_obj.json", [[1, "good a", "bad b"], [2, "good a", "bad b"]])
    images(root / "images", "0.jpeg", "1.jpeg", "000000000001.jpg")
    entry = score(JUDGE, "whatsup", tmp_path)
    assert entry["subsets"]["WhatsUp_A"]["accuracy"] == 50.0
    assert entry["subsets"]["WhatsUp_A"]["ties"] == 1
    assert entry["subsets"]["COCO_QA_ONE"]["missing"] == 1
    assert entry["score"] == 75.0
    write(root / "controlled_images_dataset.json", [["only", "two"]])
    with pytest.raises(InputError, match="row 0 must be an object, or a list of image_id, true, false"):
        score(JUDGE, "whatsup", tmp_path)


def test_negbench_puts_the_answer_first(tmp_path: Path) -> None:
    root = tmp_path / "negbench"
    head = "image_path,caption_0,caption_1,caption_2,caption_3,correct_answer,correct_answer_template\n"
    rows = "/home/x/0.jpg,bad a,good b,fair c,bad d,1,positive\n/home/x/0.jpg,good a,bad b,fair c,bad d,2,negative\n"
    write(root / "COCO_val_mcq_llama3.1_rephrased.csv", head + rows)
    images(root / "images", "0.jpg")
    entry = score(JUDGE, "negbench", tmp_path)
    assert entry["score"] == 50.0
    assert entry["chance"] == 25.0
    write(root / "COCO_val_mcq_llama3.1_rephrased.csv", head + "0.jpg,bad a,good b,fair c,bad d,4,positive\n")
    with pytest.raises(InputError, match="line 2: correct_answer '4' is none of 0 to 3"):
        score(JUDGE, "negbench", tmp_path)


def test_crepe_parses_lists_as_data_and_cuts_boxes(tmp_path: Path) -> None:
    root = tmp_path / "crepe"
    head = "image_id,caption,hard_negs,x,y,width,height\n"
    negatives = "\"['bad a', 'fair b', \"\"bad c\"\", 'bad d', 'bad e']\""
    write(root / "atom.csv", head + f"0,good a,{negatives},0,0,2,2\n0,bad z,{negatives},0,0,2,2\n")
    write_tar(tmp_path / "vg" / "images.tar", {"VG_100K/0.jpg": png(picture(0))})
    entry = score(JUDGE, "crepe", tmp_path)
    assert entry["score"] == 50.0
    assert entry["chance"] == pytest.approx(100 / 6)
    for evil in ("__import__('os').system('x')", "'text'", "[]", "[1]"):
        write(root / "atom.csv", head + f'0,good a,"{evil}",0,0,2,2\n')
        with pytest.raises(InputError, match="line 2: hard_negs is no list of texts"):
            score(JUDGE, "crepe", tmp_path)


def test_conme_pairs(tmp_path: Path) -> None:
    text = "image,correct_option,incorrect_option\n0.jpg,good a,bad a\n0.jpg,bad a,good a\n"
    write(tmp_path / "conme" / "replace-att_HUMAN_FILTER.csv", text)
    images(tmp_path / "conme" / "images", "0.jpg")
    assert score(JUDGE, "conme", tmp_path)["score"] == 50.0
