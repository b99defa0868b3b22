"""The results of a call: schema, summary, log, skipping, and comparison row by row."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.evaluation.fakes import RandomModel, picture, png, write
from tests.evaluation.test_tasks import JUDGE, classes, crepe

from compoclip.errors import InputError
from compoclip.evaluation import evaluate, individual, read_results, write_results
from compoclip.evaluation.results import average, pack, shared_rows, summary, unpack
from compoclip.evaluation.scoring import Outcome
from compoclip.evaluation.task import Average


def test_results_are_strict_json_with_the_contract_fields(tmp_path: Path) -> None:
    out = tmp_path / "run" / "results.json"
    got = evaluate(JUDGE, ["sugarcrepe"], crepe(tmp_path / "data"), output_path=out, label="judge")
    read = read_results(out)
    assert read == json.loads(json.dumps(got))
    assert read_results(out.parent) == read
    assert read["schema"] == 1
    assert read["label"] == "judge"
    assert set(read["summary"]) == {"comp", "zeroshot", "i2t", "t2i"}
    assert set(read["tasks"]["sugarcrepe"]["subsets"]["swap_obj"]) >= {
        "accuracy",
        "n",
        "missing",
        "ties",
        "ci95",
        "chance",
    }
    assert read["tasks"]["sugarcrepe"]["version"]
    assert individual(read)["sugarcrepe::swap_obj"] == 100.0


def test_all_skips_what_is_not_there_and_says_so(tmp_path: Path) -> None:
    got = evaluate(RandomModel(), "all", crepe(tmp_path), limit=4)
    assert set(got["tasks"]) == {"world", "sugarcrepe"}
    assert set(got["skipped"]) >= {"retrieval", "zeroshot"}
    assert "looked" in got["skipped"]["retrieval"]


def test_each_picture_and_caption_is_encoded_once_over_all_tasks(tmp_path: Path) -> None:
    root = crepe(tmp_path, "images")
    write(root / "captions.tsv", "image\tcaption\n000000000000.jpg\tgood 0\n000000000001.jpg\tnew\n")
    model = RandomModel()
    evaluate(model, "sugarcrepe,retrieval", root)
    assert model.images == 3  # one photo is read in two ways: as its file holds it, and turned by its EXIF tag
    assert model.texts == len({"good 0", "good 1", "bad 0", "bad 1", "new"})


def test_log_of_rows_lies_beside(tmp_path: Path) -> None:
    out = tmp_path / "r.json"
    got = evaluate(JUDGE, "sugarcrepe", crepe(tmp_path / "d"), log_samples=True, output_path=out)
    lines = [json.loads(line) for line in (tmp_path / "r.samples.jsonl").read_text().splitlines()]
    assert lines == got["samples"]
    assert read_results(out)["samples"] == "r.samples.jsonl"
    assert len(lines) == 14
    assert {"task", "subset", "images", "captions", "scores", "correct", "tied"} <= set(lines[0])


def test_limit_cuts_every_subset(tmp_path: Path) -> None:
    classes(tmp_path / "zeroshot" / "pets", "folder")
    got = evaluate(RandomModel(), "zeroshot", tmp_path, limit=3)
    assert got["tasks"]["zeroshot"]["subsets"]["pets"]["n"] == 3
    assert got["settings"]["limit"] == 3


@pytest.mark.parametrize(
    ("kwargs", "says"),
    [
        ({"tasks": "wrold"}, "task wrold is unknown; choose from all, world"),
        ({"tasks": "world", "limit": 0}, "limit must be at least 1"),
        ({"tasks": "world", "ties": "lucky"}, "tie rule 'lucky' is unknown"),
    ],
)
def test_bad_arguments(kwargs: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        evaluate(RandomModel(), **kwargs)


def test_packed_rows_come_back() -> None:
    rng = np.random.default_rng(0)
    for n in (0, 1, 7, 8, 9, 1000):
        flags = (rng.random(n) < 0.5).astype(float)
        np.testing.assert_array_equal(unpack(json.loads(json.dumps(pack(flags)))), flags)
    halves = np.array([0.5, 1.0, 0.0])
    np.testing.assert_array_equal(unpack(pack(halves)), halves)
    with pytest.raises(InputError, match="broken `hits`"):
        unpack({"n": 3})


def test_rows_are_shared_only_where_they_are_the_same(tmp_path: Path) -> None:
    root = crepe(tmp_path)
    a, b = evaluate(JUDGE, "sugarcrepe", root), evaluate(RandomModel(), "sugarcrepe", root)
    rows = shared_rows([a, b], "sugarcrepe", "add_obj")
    assert rows is not None
    assert rows[0].tolist() == [1.0, 1.0]
    c = evaluate(JUDGE, "sugarcrepe", root, limit=1)
    assert shared_rows([a, c], "sugarcrepe", "add_obj") is None
    assert shared_rows([a, c], "sugarcrepe", "nothing") is None


def test_average_is_null_where_a_subset_has_no_row() -> None:
    full = Outcome({"accuracy": 60.0}, np.array([1, 1, 1, 0, 0.0]), [])
    empty = Outcome({"accuracy": None}, np.zeros(0), [])
    assert average(Average({"a": 1, "b": 1}), {"a": full, "b": empty}, 0) == (None, None)
    value, ci95 = average(Average({"a": 1, "b": 0}), {"a": full, "b": empty}, 0)
    assert value == 60.0
    assert ci95 is not None
    assert ci95[0] < 60 < ci95[1]


def test_a_subset_without_any_photo_is_null_not_zero(tmp_path: Path) -> None:
    root = crepe(tmp_path)
    row = {"filename": "none.jpg", "caption": "good", "negative_caption": "bad"}
    write(root / "sugarcrepe" / "swap_obj.json", {"0": row})
    got = evaluate(JUDGE, "sugarcrepe", root, output_path=tmp_path / "r.json")["tasks"]["sugarcrepe"]
    assert got["subsets"]["swap_obj"]["accuracy"] is None
    assert got["subsets"]["swap_obj"]["ci95"] is None
    assert got["score"] is None
    assert got["scores"]["micro"] is None or got["scores"]["micro"] == 100.0


def test_summary_averages_over_tasks() -> None:
    def entry(score: float | None, **subsets: tuple[str, float]) -> dict:
        return {"score": score, "subsets": {n: {"part": p, "accuracy": v} for n, (p, v) in subsets.items()}}

    tasks = {
        "a": entry(60.0, x=("composition", 60.0)),
        "b": entry(40.0, y=("composition", 40.0), **{"z/i2t": ("retrieval", 10.0), "z/t2i": ("retrieval", 20.0)}),
        "c": entry(5.0, s=("zeroshot", 30.0), t=("zeroshot", 50.0)),
    }
    assert summary(tasks) == {"comp": 50.0, "zeroshot": 40.0, "i2t": 10.0, "t2i": 20.0}


def test_files_that_are_no_results_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a results file"):
        read_results(write(tmp_path / "x.json", {"schema": 2, "tasks": {}}))
    with pytest.raises(InputError, match="no such file"):
        read_results(tmp_path / "none.json")


def test_results_are_written_into_a_directory(tmp_path: Path) -> None:
    assert write_results({"schema": 1, "tasks": {}}, tmp_path) == tmp_path / "results.json"


def test_a_model_without_info_is_named_by_its_class(tmp_path: Path) -> None:
    class Mine:
        encode_image, encode_text = RandomModel.encode_image, RandomModel.encode_text
        width, images, texts = 8, 0, 0

    write(tmp_path / "captions.tsv", "image\tcaption\n0.png\tx\n")
    write(tmp_path / "0.png", png(picture(0)))
    assert evaluate(Mine(), "retrieval", tmp_path)["label"] == "Mine"
