"""Benchmarks that are given out as Hugging Face tables, as the hub has them and as `save_to_disk` writes them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from tests.evaluation.fakes import RandomModel, picture, png, write

from compoclip.errors import InputError
from compoclip.evaluation import evaluate
from compoclip.evaluation.hf_copies import read_rows
from compoclip.evaluation.task import DataMissing

PHOTOS = [png(picture(40 * i, 10, 5)) for i in range(3)]
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
ROWS = [(0, 1, "c0", "d0", "object"), (1, 2, "c1", "d1", "object"), (2, None, "x", "y", "counting")]


def table(columns: dict[str, Any], images: dict[str, Any]) -> pa.Table:
    """A table with Hugging Face's metadata and Image columns."""
    out = pa.table({**{n: pa.array(v, type=IMAGE) for n, v in images.items()}, **columns})
    features = {n: {"_type": "Image"} for n in images}
    return out.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def cell(photo: int | None) -> dict[str, Any] | None:
    return None if photo is None else {"bytes": PHOTOS[photo], "path": f"{photo}.png"}


def parquet(path: Path, made: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(made, path, row_group_size=2)


def save_to_disk(folder: Path, made: pa.Table) -> None:
    """What `DatasetDict.save_to_disk` writes; made by hand, so that the test needs no `datasets`."""
    write(folder / "dataset_dict.json", {"splits": ["test"]})
    write(folder / "test" / "state.json", {"_data_files": [{"filename": "data-00000-of-00001.arrow"}]})
    file = str(folder / "test" / "data-00000-of-00001.arrow")
    with pa.OSFile(file, "wb") as sink, pa.ipc.new_stream(sink, made.schema) as writer:
        writer.write_table(made, max_chunksize=2)


def vismin() -> pa.Table:
    columns = {name: [row[k] for row in ROWS] for name, k in (("text_0", 2), ("text_1", 3), ("category", 4))}
    return table(columns, {f"image_{k}": [cell(row[k]) for row in ROWS] for k in (0, 1)})


def official(root: Path) -> None:
    names = ("image_0", "image_1", "text_0", "text_1", "category")
    lines = [dict(zip(names, (f"{a}.png", f"{9 if b is None else b}.png", *rest))) for a, b, *rest in ROWS]
    write(root / "vismin" / "test.jsonl", "\n".join(map(json.dumps, lines)))
    for i, photo in enumerate(PHOTOS):
        write(root / "vismin" / "images" / f"{i}.png", photo)


def figures(results: dict[str, Any], task: str) -> dict[str, Any]:
    kept = ("accuracy", "text", "image", "n", "missing", "ties", "rows")
    return {name: {k: s[k] for k in kept} for name, s in results["tasks"][task]["subsets"].items()}


@pytest.mark.parametrize(
    "lay",
    [
        lambda folder: parquet(folder / "data" / "test-00000-of-00001.parquet", vismin()),
        lambda folder: save_to_disk(folder, vismin()),
    ],
    ids=["hub", "saved"],
)
def test_a_table_scores_as_the_plain_files(tmp_path: Path, lay: Callable[[Path], None]) -> None:
    official(tmp_path / "a")
    lay(tmp_path / "b" / "vismin")
    first, second = RandomModel(), RandomModel()
    expected = figures(evaluate(first, "vismin", tmp_path / "a"), "vismin")
    assert figures(evaluate(second, "vismin", tmp_path / "b"), "vismin") == expected
    assert {name: (s["n"], s["missing"]) for name, s in expected.items()} == {"object": (2, 0), "counting": (0, 1)}
    assert second.images == first.images == 3  # a photo that many rows repeat is encoded once


def test_a_data_set_that_datasets_saved_is_read(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    photos = [Image.open(io.BytesIO(photo)) for photo in PHOTOS]
    columns = {"image_0": photos[:2], "image_1": photos[1:], "caption_0": ["a", "b"], "caption_1": ["c", "d"]}
    made = datasets.Dataset.from_dict(columns)
    datasets.DatasetDict({"test": made}).save_to_disk(tmp_path / "b" / "winoground")
    made.save_to_disk(tmp_path / "c" / "winoground")  # without splits
    found = [figures(evaluate(RandomModel(), "winoground", tmp_path / place), "winoground") for place in "bc"]
    assert found[0] == found[1]
    assert found[0]["all"]["n"] == 2


def test_plain_files_are_preferred(tmp_path: Path) -> None:
    official(tmp_path)
    parquet(tmp_path / "vismin" / "data" / "test-00000-of-00001.parquet", vismin())
    found = evaluate(RandomModel(), "vismin", tmp_path)["tasks"]["vismin"]["data"]
    assert found["annotations"] == str(tmp_path / "vismin")


def test_an_empty_root_tells_both_kinds_of_places(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match=r"test.jsonl.*; nor is there a Hugging Face table .* at .*/vismin"):
        evaluate(RandomModel(), "vismin", tmp_path)


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (b"PAR1", "not a Parquet file"),
        (table({"text_0": ["a"]}, {"image_0": [cell(0)]}), "needs the texts image_0, image_1, text_0, text_1"),
        (
            table(
                {"text_0": ["a"], "text_1": ["b"]}, {"image_0": [{"path": "x", "bytes": None}], "image_1": [cell(0)]}
            ),
            "row 0, image_0/x: the cell contains no image bytes; export",
        ),
    ],
    ids=["parquet", "columns", "bytes"],
)
def test_a_broken_table_is_one_line(tmp_path: Path, made: Any, says: str) -> None:
    path = tmp_path / "vismin" / "test.parquet"
    if isinstance(made, bytes):
        write(path, made)
    else:
        parquet(path, made)
    with pytest.raises(InputError, match=says) as caught:
        evaluate(RandomModel(), "vismin", tmp_path)
    assert "\n" not in str(caught.value)


def test_images_may_be_bare_bytes_and_other_bytes_are_none(tmp_path: Path) -> None:
    made = pa.table({"Image_Bytes": [PHOTOS[0]], "sketch": [b"\0\1"], "caption": ["a"]})
    parquet(tmp_path / "test.parquet", made)
    ((_, row),) = read_rows(tmp_path) or []
    assert row["Image_Bytes"].load().size == (4, 4)
    assert row["sketch"] == b"\0\1"


def test_a_train_split_counts_only_by_itself(tmp_path: Path) -> None:
    made = {split: table({"caption": [split]}, {"image": [cell(0)]}) for split in ("train", "test")}
    parquet(tmp_path / "data" / "train-00000-of-00001.parquet", made["train"])
    assert [row["caption"] for _, row in read_rows(tmp_path) or []] == ["train"]
    parquet(tmp_path / "data" / "test-00000-of-00001.parquet", made["test"])
    assert [row["caption"] for _, row in read_rows(tmp_path) or []] == ["test"]
    assert read_rows(tmp_path / "nothing") is None
