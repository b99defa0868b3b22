"""A part of a benchmark is called a part: what is absent is told for every task, by `data check` and by `eval`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.evaluation.fakes import RandomModel, picture, png, write
from tests.evaluation.made import MAKERS
from tests.evaluation.test_every_task import make
from tests.test_cli import run as cli

from compoclip.evaluation import TASKS, evaluate
from compoclip.evaluation.known_sets import known
from compoclip.evaluation.task_data import check_task

TABLES = (".json", ".jsonl", ".csv", ".parquet")
WHOLE = [name for name, task in TASKS.items() if task.parts]  # a task without parts has no whole: drawn, or one's own
PROMPTS = 5_000  # more are too many to encode here


def lay(task: str, root: Path) -> None:
    """A small copy of a benchmark; of those over published sets that have no maker, the first set alone."""
    first = next(iter(TASKS[task].parts))
    if task == "retrieval":
        write(root / first / "coco_karpathy_test.json", [{"image": "1.jpg", "caption": ["a"]}])
        write(root / "val2014" / "1.jpg", png(picture(1)))
    elif task == "multilingual_retrieval":
        write(root / "xtd10" / "XTD10" / "test_image_names.txt", "COCO_val2014_1.jpg\n")
        write(root / "xtd10" / "XTD10" / "test_1kcaptions_en.txt", "a\n")
        write(root / "val2014" / "COCO_val2014_1.jpg", png(picture(1)))
    elif task == "long_captions":
        write(root / "Urban1k" / "caption" / "1.txt", "a\n")
        write(root / "Urban1k" / "image" / "1.jpg", png(picture(1)))
    elif task == "negbench_retrieval":
        write(root / "negbench" / "COCO_val_retrieval.csv", "filepath,captions\n1.jpg,\"['a']\"\n")
        write(root / "negbench" / "images" / "1.jpg", png(picture(1)))
    elif task in MAKERS:
        make(task, root, rows=6)
    else:  # recognition: class folders, as everybody has them
        for k, name in enumerate((known(first).ids or known(first).classes)[:2]):
            write(root / "elevater" / first / "test" / name / "0.png", png(picture(k)))


def tables(root: Path) -> list[Path]:
    return sorted(p for p in root.rglob("*") if p.suffix in TABLES and p.is_file())


def shorten(path: Path) -> None:
    """Leave the first third of a table's rows, so that rows and, where rows tell them, sets are absent."""
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        pq.write_table(table.slice(0, table.num_rows // 3), path)
    elif path.suffix == ".json":
        rows = json.loads(path.read_text())
        if isinstance(rows, dict) and "annotations" in rows:  # COCO's captions
            write(path, rows | {"images": rows["images"][: len(rows["images"]) // 3]})
            return
        kept = list(rows.items())[: len(rows) // 3] if isinstance(rows, dict) else rows[: len(rows) // 3]
        write(path, dict(kept) if isinstance(rows, dict) else kept)
    else:
        lines = path.read_text().splitlines()
        kept = len(lines) // 6 * 2  # MMVP has two lines a row
        write(path, "\n".join(lines[: kept + (path.suffix == ".csv")]) + "\n")


@pytest.mark.parametrize("task", WHOLE)
def test_what_is_absent_of_every_task_is_told(task: str, tmp_path: Path) -> None:
    """One table of several is taken away; where there is one alone, most of its rows are."""
    lay(task, tmp_path)
    read = TASKS[task].load(_request(tmp_path)).subsets
    whole = {s.name for s in read}
    found = tables(tmp_path)
    if task == "hard_positives":
        found = [p for p in found if p.parent.name == "data"]
        (found[0].parent.parent / "swapped_data" / found[0].name).unlink()
    if len(found) > 1:
        found[0].unlink()
    elif found and task in MAKERS and task != "retrieval":
        shorten(found[0])
    report = check_task(task, tmp_path)
    json.dumps(report)
    assert not report["complete"], task
    assert report["absent"] or report["absent_rows"], task
    assert report["hint"]
    if max(len(subset.captions()) for subset in read) > PROMPTS:
        return
    entry = evaluate(RandomModel(), task, tmp_path, limit=None, controls=False)["tasks"][task]
    here = {name.split("/i2t")[0].split("/t2i")[0] for name in entry["subsets"]}
    if len(here) < len(whole) and not TASKS[task].own:
        assert whole - here <= set(report["absent"]) == set(entry["absent"]["sets"])
        full = set(TASKS[task].rules(dict.fromkeys(TASKS[task].parts, 100)))
        assert entry["rule"] not in full, "a part is called as the whole"
        assert "of" in entry["rule"]
    assert entry["absent"]


def _request(root: Path) -> Any:
    from compoclip.evaluation.task import TaskOptions

    return TaskOptions(root)


def test_every_composition_task_knows_its_subsets() -> None:
    """So that a set which is not there can be named; those of one subset know its rows."""
    for name, task in TASKS.items():
        assert task.parts or name in ("world", "zeroshot", "linear_probe"), name
        if task.parts and not task.own:
            assert len(task.parts) > 1 or sum(task.parts.values()) > 0, name


def test_one_of_five_files_is_no_whole(tmp_path: Path, capsys: Any) -> None:
    row = {"filename": "0.jpg", "caption": "a", "caption2": "b", "negative_caption": "c"}
    write(tmp_path / "sugarcrepe_pp" / "swap_obj.json", [row] * 3)
    write(tmp_path / "val2017" / "0.jpg", png(picture(0)))
    status, out, _ = cli(capsys, "data", "check", "sugarcrepe_pp", "--data-root", str(tmp_path))
    assert status == 0
    assert "complete: false" in out
    report = check_task("sugarcrepe_pp", tmp_path)
    assert report["absent"] == ["replace_att", "replace_obj", "replace_rel", "swap_att"]
    assert report["absent_rows"] == {"swap_obj": 245 - 3}
    entry = evaluate(RandomModel(), "sugarcrepe_pp", tmp_path)["tasks"]["sugarcrepe_pp"]
    assert entry["rule"] == "mean of subsets (1 of 5 sets)"
    assert set(entry["scores"]) == {f"{n} (1 of 5 sets)" for n in ("mean of subsets", "micro", "TOT, mean of subsets")}
    status, out, _ = cli(capsys, "eval", "tiny", "--tasks", "sugarcrepe_pp", "--data-root", str(tmp_path))
    assert status == 0
    assert "sugarcrepe_pp is a part of the benchmark: 1 of 5 sets (without replace_att" in " ".join(out.split())


@pytest.mark.parametrize(
    ("counts", "title"),
    [
        (lambda parts: parts, "vl_compo"),
        (lambda parts: {n: k for n, k in parts.items() if n != "swap_obj"}, "micro (6 of 7 sets)"),
    ],
)
def test_titles_of_a_whole_and_of_a_part(counts: Callable[[dict[str, int]], dict[str, int]], title: str) -> None:
    task = TASKS["sugarcrepe"]
    assert next(iter(task.rules(counts(dict(task.parts))))) == title


def test_a_part_of_a_published_retrieval_set_is_told(tmp_path: Path) -> None:
    """A set that is there in part; sets that are not there are no fault, as one's own may be all that is wanted."""
    write(
        tmp_path / "coco_karpathy" / "coco_karpathy_test.json",
        [{"image": f"{i}.jpg", "caption": ["a"]} for i in range(3)],
    )
    write(tmp_path / "val2014" / "1.jpg", png(picture(1)))
    write(tmp_path / "retrieval" / "mine" / "captions.tsv", "image\tcaption\n0.png\ta\n")
    write(tmp_path / "retrieval" / "mine" / "images" / "0.png", png(picture(2)))
    entry = evaluate(RandomModel(), "retrieval", tmp_path)["tasks"]["retrieval"]
    assert entry["absent"] == {"rows": {"coco_karpathy": 5_000 - 3}, "photos": {"coco_karpathy": 2}}
    report = check_task("retrieval", tmp_path)
    assert (report["complete"], report["absent"]) == (False, [])
    assert report["absent_rows"] == {"coco_karpathy": 4_997}


def test_photos_that_are_not_there_are_counted(tmp_path: Path) -> None:
    rows = {str(i): {"filename": f"{i}.jpg", "caption": "a", "negative_caption": "b"} for i in range(245)}
    write(tmp_path / "sugarcrepe" / "swap_obj.json", rows)
    write(tmp_path / "val2017" / "7.jpg", png(picture(7)))
    entry = evaluate(RandomModel(), "sugarcrepe", tmp_path)["tasks"]["sugarcrepe"]
    assert entry["absent"]["photos"] == {"swap_obj": 244}
    assert "rows" not in entry["absent"]


def test_a_folder_of_photos_without_captions_is_told_and_refuses_nothing(tmp_path: Path) -> None:
    for k in range(30):
        write(tmp_path / "retrieval" / "images" / f"{k}.png", png(picture(k)))
    report = check_task("retrieval", tmp_path)
    assert not report["complete"]
    assert "retrieval/images: no usable sample: " in report["problem"]
    assert "30 image without a caption file" in report["problem"]
    write(tmp_path / "retrieval" / "mine" / "captions.tsv", "image\tcaption\n0.png\ta\n")
    write(tmp_path / "retrieval" / "mine" / "0.png", png(picture(2)))
    report = check_task("retrieval", tmp_path)
    assert report["subsets"]["mine"]["rows"] == 1
    assert "30 image without a caption file" in report["problem"]
