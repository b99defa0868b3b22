"""`data get` and `data check` know every task; a check names the files and images that are missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.evaluation.fakes import picture, png, write
from tests.test_cli import run as cli

from compoclip.data.catalog import entries, entry
from compoclip.data.checking import check_entry
from compoclip.errors import InputError
from compoclip.evaluation import task_data
from compoclip.evaluation.aggregate import SIZES
from compoclip.evaluation.task import DataMissing, TaskOptions
from compoclip.evaluation.tasks import TASKS


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_its_sets_or_says_that_it_needs_none(tmp_path: Path, task: str) -> None:
    assert task_data.is_task(task)
    assert task_data.is_task(task.replace("_", "-"))
    found = task_data.check_task(task, tmp_path)
    json.dumps(found)
    if task == "world":
        assert found["complete"]
        return
    assert not found["complete"]
    assert found["problem"]
    assert found["hint"]
    if not TASKS[task].data:
        with pytest.raises(InputError, match="measures your own data") as own:
            task_data.get_task(task, tmp_path)
        assert "\n" not in str(own.value)
        return
    sets = task_data.sets_of(task)
    assert sets
    for chosen in sets:
        assert check_entry(chosen, tmp_path)["missing"]


@pytest.mark.parametrize("task", ["whatsup", "negbench", "crepe", "eqben", "vl_checklist", "hard_positives"])
def test_what_may_not_be_fetched_is_one_line_with_the_gate_and_the_places(tmp_path: Path, task: str) -> None:
    with pytest.raises(
        InputError, match=r"cannot be fetched for you: .*Licence: .*Page: https.*Put the files at"
    ) as told:
        task_data.get_task(task, tmp_path)
    assert "\n" not in str(told.value)
    assert not list(tmp_path.iterdir())


def made(path: Path) -> None:
    """A file of the right name; what is in it does not matter to the places that are looked at."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(picture(1)) if path.suffix in (".jpg", ".png") else b"[]")


@pytest.mark.parametrize(
    "name",
    [
        "sugarcrepe", "sugarcrepe-pp", "valse", "coco-karpathy", "svo-probes", "imagecode", "cola", "mmvp-vlm",
        "conme", "coco-counterfactuals", "winoground", "colorswap",
    ],
)  # fmt: skip
def test_what_is_fetched_lies_where_the_task_looks(tmp_path: Path, name: str) -> None:
    """With a set's files in place, its task no longer misses them: it stops at what is in them, or at the photos."""
    for item in entry(name).files:
        if "*" not in item.path:
            made(tmp_path / item.path)
    for download in entry(name).fetch:
        if download.unpack is None:
            made(tmp_path / download.to)
    stem = {"conme": "conme/replace-att_HUMAN_FILTER.csv", "colorswap": "colorswap/data/test.json"}.get(name)
    if stem:
        made(tmp_path / stem)
    task = {"coco-karpathy": "retrieval"}.get(name, name.replace("-", "_"))
    with pytest.raises(InputError) as told:
        TASKS[task].load(TaskOptions(tmp_path))
    if isinstance(told.value, DataMissing):
        assert "image" in str(told.value) or "photo" in str(told.value)


def test_a_check_names_the_missing_images(tmp_path: Path, capsys: Any) -> None:
    rows = {str(i): {"filename": f"{i}.jpg", "caption": "a", "negative_caption": "b"} for i in range(9)}
    write(tmp_path / "sugarcrepe" / "swap_obj.json", rows)
    for i in (0, 4):
        write(tmp_path / "sugarcrepe" / "images" / f"{i}.jpg", png(picture(i)))
    found = task_data.check_task("sugarcrepe", tmp_path)
    assert found["subsets"] == {"swap_obj": {"rows": 2, "missing": 7}}
    assert found["missing_images"] == {"count": 7, "first": ["1.jpg", "2.jpg", "3.jpg", "5.jpg", "6.jpg"]}
    assert set(found["absent"]) == set(SIZES) - {"swap_obj"}
    assert found["sets"][0]["missing"][0]["names"][0] == "sugarcrepe/add_att.json"
    assert "compoclip data get coco-val2017" in found["hint"]
    status, out, _ = cli(capsys, "data", "check", "sugarcrepe", "--data-root", str(tmp_path))
    assert status == 0
    assert yaml.safe_load(out) == found


def test_getting_several_sets_tells_of_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def get(chosen: Any, root: Any, keep: bool) -> dict[str, Any]:
        asked.append(chosen.name)
        if chosen.name == "flickr30k-retrieval":
            raise InputError("flickr30k-retrieval cannot be fetched for you: a form")
        return {"name": chosen.name, "fetched": []}

    monkeypatch.setattr(task_data, "get", get)
    found = task_data.get_task("retrieval", tmp_path)
    assert asked == ["coco-karpathy", "flickr30k-retrieval", "flickr8k-retrieval", "coco-counterfactuals"]
    assert found["sets"][1]["by_hand"].endswith("a form")
    assert [n["name"] for n in found["needs"]] == ["coco-val2014", "flickr30k", "flickr8k"]
    assert set(TASKS["elevater"].data) <= set(entries())


def test_aros_orders_are_made_and_read_from_the_command_line(tmp_path: Path, capsys: Any) -> None:
    """BLIP's split files as they lie after `data get`, photos where COCO and Flickr30k unpack them."""
    captions = ["A man rides a brown horse.", "Two small dogs play near the old red house."]
    for file, image, photo in (
        ("coco_karpathy/coco_karpathy_test.json", "val2014/COCO_val2014_1.jpg", "coco/val2014/COCO_val2014_1.jpg"),
        ("flickr30k/flickr30k_test.json", "flickr30k-images/7.jpg", "flickr30k/flickr30k-images/7.jpg"),
    ):
        write(tmp_path / file, [{"image": image, "caption": captions}])
        write(tmp_path / photo, png(picture(1)))
    status, out, _ = cli(capsys, "data", "get", "aro", "--data-root", str(tmp_path))
    assert status == 0
    told = yaml.safe_load(out)
    assert [line.split(": ")[1].split(" ")[0] for line in told["made"]] == ["2", "2"]
    assert "Google Drive" in told["sets"][0]["by_hand"]
    rows = [json.loads(line) for line in (tmp_path / "aro/coco_order.jsonl").read_text().splitlines()]
    assert rows[0]["image"] == "val2014/COCO_val2014_1.jpg"
    assert len(rows[0]["caption_options"]) == 5
    assert rows[0]["caption_options"][0] == "a man rides a brown horse"
    status, out, _ = cli(capsys, "data", "check", "aro", "--data-root", str(tmp_path))
    found = yaml.safe_load(out)["subsets"]
    assert found == {name: {"rows": 2, "missing": 0} for name in ("COCO_Order", "Flickr30k_Order")}
    assert task_data.get_task("aro", tmp_path)["made"] == []  # kept, and not made again


def test_the_list_of_tasks_says_licence_and_needs_of_each() -> None:
    from compoclip.listing import _tasks

    for name, told in _tasks():
        licence, needs = told.rsplit(" [", 1)[1].removesuffix("]").split("; needs ", 1)
        assert licence.strip(), name
        assert needs.strip(), name


def test_get_and_check_on_the_command_line(tmp_path: Path, capsys: Any) -> None:
    for command, name in (("get", "world"), ("get", "whatsup"), ("get", "nosuch"), ("check", "nosuch")):
        status, _, err = cli(capsys, "data", command, name, "--data-root", str(tmp_path))
        assert status == 2
        assert err.count("\n") == 1
    status, out, _ = cli(capsys, "data", "check", "vismin", "--data-root", str(tmp_path))
    assert status == 0
    assert not yaml.safe_load(out)["complete"]
