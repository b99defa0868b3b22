"""Copies of benchmarks as people have them on disk: every layout gives the rows and score of the official files."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from tests.evaluation.fakes import RandomModel, picture, png, write, write_tar

from compoclip.errors import InputError
from compoclip.evaluation import evaluate
from compoclip.evaluation.rows import read_rows
from compoclip.evaluation.task import DataMissing
from compoclip.evaluation.tasks.aro import excluded_relations

PHOTOS = [png(picture(40 * i, 10, 5)) for i in range(3)]
ROWS = [  # subset, photo, caption, negative: the same photo in several rows
    ("add_att", 0, "a cat", "a red cat"),
    ("add_att", 1, "a dog", "a blue dog"),
    ("swap_obj", 1, "a dog on a mat", "a mat on a dog"),
    ("swap_obj", 2, "a cup by a plate", "a plate by a cup"),
    ("swap_obj", 1, "two birds", "two planes"),
]
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def table(columns: dict[str, Any], images: dict[str, Any], names: dict[str, list[str]] | None = None) -> pa.Table:
    """A table with Hugging Face's metadata: Image columns, and a ClassLabel for `names`."""
    kinds = {n: pa.list_(IMAGE) if isinstance(v[0], list) else IMAGE for n, v in images.items()}
    arrays = {n: pa.array(v, type=kinds[n]) for n, v in images.items()}
    out = pa.table({**arrays, **columns})
    features: dict[str, Any] = {n: {"_type": "Image"} for n in images}
    features |= {n: {"names": v, "_type": "ClassLabel"} for n, v in (names or {}).items()}
    return out.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def cell(photo: int) -> dict[str, Any]:
    return {"bytes": PHOTOS[photo], "path": f"{photo}.png"}


def parquet(path: Path, made: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(made, path, row_group_size=2)


def npy(values: list[Any]) -> bytes:
    out = io.BytesIO()
    np.save(out, np.array(values))
    return out.getvalue()


def save_to_disk(folder: Path, made: pa.Table) -> None:
    """What `DatasetDict.save_to_disk` writes; made by hand, so that the test needs no `datasets`."""
    write(folder / "dataset_dict.json", {"splits": ["test"]})
    write(folder / "test" / "state.json", {"_data_files": [{"filename": "data-00000-of-00001.arrow"}]})
    file = str(folder / "test" / "data-00000-of-00001.arrow")
    with pa.OSFile(file, "wb") as sink, pa.ipc.new_stream(sink, made.schema) as writer:
        writer.write_table(made, max_chunksize=2)


def official(root: Path) -> None:
    for name in ("add_att", "swap_obj"):
        own = [r for r in ROWS if r[0] == name]
        rows = {
            str(i): dict(zip(("filename", "caption", "negative_caption"), (f"{p}.png", c, n)))
            for i, (_, p, c, n) in enumerate(own)
        }
        write(root / "sugarcrepe" / f"{name}.json", rows)
    for i, photo in enumerate(PHOTOS):
        write(root / "sugarcrepe" / "images" / f"{i}.png", photo)


def m4(root: Path) -> None:
    """A Parquet folder a subset: `image`, `tested_labels`, and `true_label` in a vocabulary of all captions."""
    for name in ("add_att", "swap_obj"):
        own = [r for r in ROWS if r[0] == name]
        words = sorted({t for r in own for t in r[2:]})
        shown = [[n, c] if i == 0 else [c, n] for i, (_, _, c, n) in enumerate(own)]  # told by the label, not by order
        columns = {"tested_labels": shown, "true_label": [words.index(r[2]) for r in own]}
        made = table(columns, {"image": [cell(r[1]) for r in own]}, {"true_label": words})
        parquet(root / f"SugarCrepe_{name}" / "data" / "test-00000-of-00001-ab.parquet", made)


def vlms(root: Path, python: bool) -> None:
    """`examples.jsonl` (some are Python text and not JSON) and `images.zip`."""
    names = ("image_file_name", "positive_caption", "negative_caption", "original_file_name")
    rows = [dict(zip(names, (f"{p}.png", [c], [n], f"{s}.json"))) for s, p, c, n in ROWS]
    write(root / "sugarcrepe_vlms" / "examples.jsonl", "\n".join(repr(r) if python else json.dumps(r) for r in rows))
    with zipfile.ZipFile(root / "sugarcrepe_vlms" / "images.zip", "w") as archive:
        for i, photo in enumerate(PHOTOS):
            archive.writestr(f"images/{i}.png", photo)


def unibench(root: Path, subset: str = "split.txt") -> None:
    members: dict[str, bytes] = {}
    for k, (name, photo, caption, negative) in enumerate(ROWS):
        members |= {f"s{k:07}.0.png": PHOTOS[photo], f"s{k:07}.npy": npy([caption, negative])}
        members[f"s{k:07}.{subset}"] = name.encode()
    write(root / "wds_sugarcrepe" / "test" / "nshards.txt", "2")
    half = list(members.items())
    write_tar(root / "wds_sugarcrepe" / "test" / "0.tar", dict(half[:9]))
    write_tar(root / "wds_sugarcrepe" / "test" / "1.tar", dict(half[9:]))


def unibench_saved(root: Path) -> None:
    columns = {"npy": [[c, n] for _, _, c, n in ROWS], "split.txt": [s for s, *_ in ROWS], "__key__": list("abcde")}
    save_to_disk(root / "wds_sugarcrepe", table(columns, {"0.webp": [cell(p) for _, p, _, _ in ROWS]}))


def images_in_lists(root: Path) -> None:
    columns = {"positive_caption": [[c] for _, _, c, _ in ROWS], "negative_caption": [[n] for *_, n in ROWS]}
    columns["original_file_name"] = [f"{s}.json" for s, *_ in ROWS]
    save_to_disk(root / "sugarcrepe", table(columns, {"images": [[cell(p)] for _, p, _, _ in ROWS]}))


LAYOUTS = {
    "m4": m4,
    "vlms json": lambda root: vlms(root, False),
    "vlms python": lambda root: vlms(root, True),
    "webdataset": unibench,
    "saved": unibench_saved,
    "lists": images_in_lists,
}


def figures(results: dict[str, Any], task: str) -> dict[str, Any]:
    kept = ("accuracy", "n", "missing", "ties")
    return {name: {k: s[k] for k in kept} for name, s in results["tasks"][task]["subsets"].items()}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_copies_of_sugarcrepe_score_as_the_official_files(tmp_path: Path, layout: str) -> None:
    official(tmp_path / "a")
    LAYOUTS[layout](tmp_path / "b")
    first, second = RandomModel(), RandomModel()
    expected = figures(evaluate(first, "sugarcrepe", tmp_path / "a"), "sugarcrepe")
    assert figures(evaluate(second, "sugarcrepe", tmp_path / "b"), "sugarcrepe") == expected
    assert {name: s["n"] for name, s in expected.items()} == {"add_att": 2, "swap_obj": 3}
    assert second.images == first.images == 3  # a photo that many rows repeat is encoded once


def test_a_data_set_that_datasets_saved_is_read(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    photos = [Image.open(io.BytesIO(PHOTOS[p])) for _, p, _, _ in ROWS]
    columns = {"image": photos, "caption": [r[2] for r in ROWS], "negative_caption": [r[3] for r in ROWS]}
    made = datasets.Dataset.from_dict(columns | {"subset": [r[0] for r in ROWS]})
    datasets.DatasetDict({"test": made}).save_to_disk(tmp_path / "b" / "sugarcrepe")
    made.save_to_disk(tmp_path / "c" / "sugarcrepe")  # without splits
    official(tmp_path / "a")
    expected = figures(evaluate(RandomModel(), "sugarcrepe", tmp_path / "a"), "sugarcrepe")
    for place in "bc":
        assert figures(evaluate(RandomModel(), "sugarcrepe", tmp_path / place), "sugarcrepe") == expected


def test_official_files_are_preferred(tmp_path: Path) -> None:
    official(tmp_path)
    m4(tmp_path)
    found = evaluate(RandomModel(), "sugarcrepe", tmp_path)["tasks"]["sugarcrepe"]["data"]
    assert found["annotations"] == str(tmp_path / "sugarcrepe")


def test_sugarcrepe_pp_crepe_valse_and_whatsup_from_lines(tmp_path: Path) -> None:
    def lines(folder: str, rows: list[dict[str, Any]]) -> None:
        write(tmp_path / folder / "examples.jsonl", "\n".join(map(repr, rows)))
        with zipfile.ZipFile(tmp_path / folder / "images.zip", "w") as archive:
            for i, photo in enumerate(PHOTOS):
                archive.writestr(f"{i}.png", photo)

    lines(
        "sugarcrepepp_vlms",
        [
            {
                "image_file_name": "0.png",
                "positive_caption_1": ["a"],
                "positive_caption_2": ["b"],
                "negative_caption": ["c"],
                "original_file_name": "swap_att",
            },
        ],
    )
    box = {"x": 1, "y": 0, "width": 2, "height": 3}
    lines(
        "crepe_vlms",
        [
            {
                "image": "1.png",
                "positive_caption": ["a"],
                "negative_caption": list("bcdef"),
                "original_file_name": "atom",
                **box,
            },
            {
                "image": "9.png",
                "positive_caption": ["a"],
                "negative_caption": list("bcdef"),
                "original_file_name": "atom",
                **box,
            },
        ],
    )
    lines(
        "valse_vlms",
        [
            {
                "image_file_name": "2.png",
                "positive_caption": ["a"],
                "negative_caption": ["b"],
                "original_file_name": "counting-hard.json",
                "linguistic_phenomena": "counting",
            },
        ],
    )
    lines(
        "whats_up_vlms",
        [
            {
                "image_file_name": "2.png",
                "positive_caption": ["a"],
                "negative_caption": list("bcd"),
                "original_file_name": "controlled_images_dataset",
            },
        ],
    )
    names = "sugarcrepe_pp,crepe,valse,whatsup"
    results = evaluate(RandomModel(), names, tmp_path, log_samples=True)
    assert list(figures(results, "sugarcrepe_pp")) == ["swap_att"]
    assert figures(results, "crepe")["atom"]["n"] == figures(results, "crepe")["atom"]["missing"] == 1
    assert list(figures(results, "valse")) == ["counting-hard"]
    assert results["tasks"]["whatsup"]["subsets"]["WhatsUp_A"]["chance"] == 25
    crepe = next(row for row in results["samples"] if row["task"] == "crepe")
    assert crepe["image"].endswith("1.png box (1, 0, 3, 3)")


def test_two_by_two_from_tars_and_tables(tmp_path: Path) -> None:
    members: dict[str, bytes] = {}
    for k in range(2):
        members |= {f"{k}.0.png": PHOTOS[k], f"{k}.1.png": PHOTOS[k + 1], f"{k}.npy": npy([f"c{k}", f"d{k}"])}
    write_tar(tmp_path / "wds_winoground" / "test" / "0.tar", members)
    images = {"image_0": [cell(0), cell(1), cell(2)], "image_1": [cell(1), cell(2), None]}
    columns = {"text_0": ["c0", "c1", "x"], "text_1": ["d0", "d1", "y"], "category": ["object", "object", "counting"]}
    parquet(tmp_path / "vismin" / "data" / "test-00000-of-00001.parquet", table(columns, images))
    results = evaluate(RandomModel(), "winoground,vismin", tmp_path)
    wino, vismin = figures(results, "winoground")["all"], figures(results, "vismin")
    assert wino["n"] == 2
    assert vismin["object"] == wino
    assert (vismin["counting"]["n"], vismin["counting"]["missing"]) == (0, 1)


def test_word_order_stands_beside_official_regions(tmp_path: Path) -> None:
    hard = {f"hard_text_{k}": ["x" * k] for k in range(1, 5)}
    made = table({"correct_caption": ["a b c"], **hard}, {"images": [cell(0)]})
    parquet(tmp_path / "ARO-COCO-order" / "data" / "test-00000-of-00001.parquet", made)
    flickr = {"0.0.webp": PHOTOS[0], "0.npy": npy(["a b", "b a", "c", "d", "e"])}
    write_tar(tmp_path / "wds_flickr30k_order" / "test" / "0.tar", flickr)
    assert list(figures(evaluate(RandomModel(), "aro", tmp_path), "aro")) == ["COCO_Order", "Flickr30k_Order"]
    row = {"image_path": "0.png", "true_caption": "t", "false_caption": "f", "relation_name": "eating"}
    row |= dict.fromkeys(("bbox_x", "bbox_y"), 0) | dict.fromkeys(("bbox_w", "bbox_h"), 2)
    write(tmp_path / "aro" / "visual_genome_relation.json", [row])
    write(tmp_path / "aro" / "images" / "0.png", PHOTOS[0])
    both = figures(evaluate(RandomModel(), "aro", tmp_path), "aro")
    assert list(both) == ["VG_Relation", "COCO_Order", "Flickr30k_Order"]


def test_regions_are_cut_grouped_and_left_out_as_the_official_rows(tmp_path: Path) -> None:
    boxes = [{"x": 0, "y": 0, "w": 2, "h": 3}, {"x": 1, "y": 1, "w": 3, "h": 2}, {"x": 0, "y": 0, "w": 4, "h": 4}]
    relations, pairs = ["eating", "riding", "to the left of", "wearing"], [["red", "big"]] * 25 + [["wet", "old"]] * 3
    excluded = next(iter(sorted(excluded_relations())))

    def rows(kind: str) -> list[dict[str, Any]]:
        keys = [*relations, excluded] * 2 if kind == "relation" else pairs
        column = "relation_name" if kind == "relation" else "attributes"
        return [
            {column: key, "box": boxes[i % 3], "true_caption": f"{kind} {i}", "false_caption": f"not {i}"}
            for i, key in enumerate(keys)
        ]

    for kind, folder in (("relation", "ARO-Visual-Relation"), ("attribution", "ARO-Visual-Attribution")):
        made = rows(kind)
        names = [k for k in made[0] if k != "box"]
        columns: dict[str, Any] = {k: [r[k] for r in made] for k in names} | {"bbox": [r["box"] for r in made]}
        file = tmp_path / "a" / folder / "data" / "test-00000-of-00001.parquet"
        parquet(file, table(columns, {"image": [cell(i % 3) for i in range(len(made))]}))
        plain = [
            {k: r[k] for k in names} | {f"bbox_{k}": v for k, v in r["box"].items()} | {"image_path": f"{i % 3}.png"}
            for i, r in enumerate(made)
        ]
        write(tmp_path / "b" / "aro" / f"visual_genome_{kind}.json", plain)
    for i, photo in enumerate(PHOTOS):
        write(tmp_path / "b" / "aro" / "images" / f"{i}.png", photo)
    copied, official = (evaluate(RandomModel(), "aro", tmp_path / place)["tasks"]["aro"] for place in "ab")
    assert copied["score"] == official["score"]
    for name in ("VG_Relation", "VG_Attribute"):
        one, other = copied["subsets"][name], official["subsets"][name]
        assert {k: one[k] for k in ("accuracy", "pooled", "n", "groups", "rows")} == (
            {k: other[k] for k in ("accuracy", "pooled", "n", "groups", "rows")}
        )
    assert copied["subsets"]["VG_Attribute"]["n"] == 25
    assert copied["subsets"]["VG_Relation"]["n"] == 2 * sum(r not in excluded_relations() for r in relations)


def test_an_empty_root_tells_both_kinds_of_places(tmp_path: Path) -> None:
    with pytest.raises(
        DataMissing, match=r"swap_obj.json.*; nor is there a Hugging Face data set or webdataset tars at"
    ):
        evaluate(RandomModel(), "sugarcrepe", tmp_path)


BROKEN: dict[str, tuple[Any, str]] = {
    "subset": (
        lambda r: unibench(r, "other.txt"),
        "0.tar: s0000000: no split.txt or subset .* tells which of sugarcre",
    ),
    "pickle": (
        lambda r: write_tar(r / "wds_sugarcrepe" / "test" / "0.tar", {"0.png": PHOTOS[0], "0.npy": _pickled()}),
        r"0.tar:0.npy: broken \(.*pickle",
    ),
    "json": (
        lambda r: write_tar(r / "wds_sugarcrepe" / "test" / "0.tar", {"0.png": PHOTOS[0], "0.json": b"{"}),
        "0.tar:0.json: broken",
    ),
    "line": (lambda r: write(r / "sugarcrepe_vlms" / "examples.jsonl", "{'a': open('x')}"), "line 1 is not a valid"),
    "columns": (
        lambda r: parquet(r / "sugarcrepe" / "test.parquet", table({"subset": ["add_att"]}, {"image": [cell(0)]})),
        r"no true and false captions that are known here \(its columns: subset, image\)",
    ),
    "bytes": (
        lambda r: parquet(
            r / "sugarcrepe" / "test.parquet", table({"a": [1]}, {"image": [{"path": "x", "bytes": None}]})
        ),
        "row 0, image/x: the cell holds no image bytes; export",
    ),
    "parquet": (lambda r: write(r / "sugarcrepe" / "test.parquet", b"PAR1"), "not a Parquet file"),
    "climbs": (
        lambda r: write_tar(r / "wds_sugarcrepe" / "test" / "0.tar", {"../0.png": PHOTOS[0]}),
        "points outside the archive",
    ),
}


def _pickled() -> bytes:
    out = io.BytesIO()
    np.save(out, np.array(["a", None], dtype=object), allow_pickle=True)
    return out.getvalue()


@pytest.mark.parametrize("case", BROKEN)
def test_broken_copies_are_one_line(tmp_path: Path, case: str) -> None:
    make, message = BROKEN[case]
    make(tmp_path)
    with pytest.raises(InputError, match=message) as caught:
        evaluate(RandomModel(), "sugarcrepe", tmp_path)
    assert "\n" not in str(caught.value)


def test_images_may_be_bare_bytes_and_other_bytes_are_none(tmp_path: Path) -> None:
    made = pa.table({"Image_Bytes": [PHOTOS[0]], "sketch": [b"\0\1"], "caption": ["a"], "negative_caption": ["b"]})
    parquet(tmp_path / "sugarcrepe" / "swap_obj" / "test.parquet", made)
    found = figures(evaluate(RandomModel(), "sugarcrepe", tmp_path), "sugarcrepe")
    assert found["swap_obj"]["n"] == 1


def test_an_archive_of_arrays_is_no_array(tmp_path: Path) -> None:
    out = io.BytesIO()
    np.savez(out, a=np.zeros(2))
    write_tar(tmp_path / "wds_sugarcrepe" / "test" / "0.tar", {"0.png": PHOTOS[0], "0.npy": out.getvalue()})
    with pytest.raises(InputError, match=r"0\.tar:0\.npy: broken"):
        evaluate(RandomModel(), "sugarcrepe", tmp_path)


def test_a_train_split_counts_only_by_itself(tmp_path: Path) -> None:
    made = {split: table({"caption": [split]}, {"image": [cell(0)]}) for split in ("train", "test")}
    parquet(tmp_path / "data" / "train-00000-of-00001.parquet", made["train"])
    assert [row["caption"] for _, row in read_rows(tmp_path) or []] == ["train"]
    parquet(tmp_path / "data" / "test-00000-of-00001.parquet", made["test"])
    assert [row["caption"] for _, row in read_rows(tmp_path) or []] == ["test"]
    assert read_rows(tmp_path / "nothing") is None
