"""Every command of README and docs that does not say that it needs more is run, as the page gives it.

They run in one process, in a folder like a reader's: photos, captions, the run and the negatives of the README. Sizes
are cut down by flags behind the page's own, `tiny` stands for larger models, and no server is started.
"""

from __future__ import annotations

import json
import shutil
import sys
import tarfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.documented import PAGES, ROOT, Command, shown, snippets
from tests.evaluation.made import MAKERS, Made
from tests.script_module import load

import compoclip
from compoclip.cli import main
from compoclip.data import world
from compoclip.losses import Features

pytestmark = pytest.mark.slow
EVERY = [command for page in PAGES for command in shown(page)]
RUN = list({command.text: command for command in EVERY if not command.marked and not command.form}.values())
ELSEWHERE = {"compoclip data check sides": "evaluation/test_adding_a_benchmark.py"}
ELSEWHERE_PYTHON = {"adding-a-benchmark.md": "evaluation/test_adding_a_benchmark.py"}
SMALLER = {"batch_size=256": "batch_size=4", "start_batch=117": "start_batch=1", "workers=4": "workers=0"}
OUTPUTS = ("--out", "--output-dir", "--output-path", "--into-tars", "--llm-batch-out")
FIRST = ("compoclip negatives build captions.csv", "compoclip train fsc-clip --data captions.csv")  # make the folder


def smaller(words: list[str]) -> list[str]:
    """The words of a command, and behind them what makes it quick; of a flag given twice the last one holds."""
    words = [word.replace("ViT-B-32:openai", "tiny") for word in words]
    more: list[str] = []
    if words[0] in ("train", "compare") and "--resume" not in words:
        more += ["--steps", "2", "--batch-size", "8"] + ([] if "--model" in words else ["--model", "tiny"])
        more += ["--set", "world_scenes=64", "--set", "eval_limit=2"]
    if words[0] in ("eval", "blend"):
        more += ["--limit", "2"]
    if words[:2] == ["negatives", "build"] and "--llm-batch-out" not in words:
        more += ["--workers", "1"]
    return words + more


def run(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 0, words


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a reader of the pages has by the time of a command."""
    here = tmp_path_factory.mktemp("reader")
    scenes = [world.finetune_scene(0, index) for index in range(24)]
    (here / "images").mkdir()
    rows = []
    for index, scene in enumerate(scenes):
        Image.fromarray(scene.image).save(here / "images" / f"{index}.png")
        rows += [(f"{index}.png", caption) for caption in scene.captions[:2]]
    for name, comma in (("captions.csv", ","), ("captions.tsv", "\t"), ("CAPTIONS", "\t")):
        table = "\n".join(f"{image}{comma}{caption}" for image, caption in rows)
        (here / name).write_text(f"image{comma}caption\n{table}\n")
    Image.fromarray(scenes[0].image).save(here / "photo.jpg")
    for task in ("sugarcrepe", "retrieval", "zeroshot"):
        MAKERS[task](Made(here / "DATA"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        for command in RUN:
            if command.text.startswith(FIRST):
                run(smaller(command.words[1:]))
        run(["eval", "tiny", "--tasks", "world", "--limit", "2", "--output-path", "base.json"])
        shutil.copy("base.json", "tuned.json")
        run(["negatives", "convert", "negatives", "--to", "degla", "--out", "DeGLA.json"])
        _negclip(here, rows)
        _shards(here, rows)
        _replies(here)
    return here


def _negclip(here: Path, rows: list[tuple[str, str]]) -> None:
    """coco/train_neg_clip.tsv as NegCLIP has it: false captions, and rows whose images are hard negatives."""
    shutil.copytree(here / "images", here / "coco/images")
    lines = ["\ttitle\tfilepath\tneg_caption\tneg_image"]
    for number, (image, caption) in enumerate(rows):
        false = caption.replace("left", "right").replace("a", "the", 1)
        others = [(number + step) % len(rows) for step in (2, 4, 6)]
        lines.append(f"{number}\t{caption}\timages/{image}\t{[false]}\t{others}")
    (here / "coco/train_neg_clip.tsv").write_text("\n".join(lines) + "\n")


def _shards(here: Path, rows: list[tuple[str, str]]) -> None:
    (here / "shards").mkdir()
    for number in range(10):
        image, caption = rows[2 * number]
        (here / "caption.txt").write_text(caption)
        with tarfile.open(here / f"shards/{number:03}.tar", "w") as tar:
            tar.add(here / "images" / image, f"{number}.png")
            tar.add(here / "caption.txt", f"{number}.txt")


def _replies(here: Path) -> None:
    """results.jsonl: a batch service's answers to requests.jsonl, which the pages send it."""
    build = next(command for command in RUN if "--llm-batch-out" in command.text)
    run([word if word != "negatives" or n < 2 else "asked" for n, word in enumerate(build.words[1:])])
    lines = []
    for line in (here / "requests.jsonl").read_text().splitlines():
        body = {"choices": [{"message": {"content": '{"rewrites": []}'}}]}
        asked = json.loads(line)["custom_id"]
        lines.append(json.dumps({"custom_id": asked, "response": {"status_code": 200, "body": body}, "error": None}))
    (here / "results.jsonl").write_text("\n".join(lines) + "\n")
    (here / "requests.jsonl").unlink()


@pytest.fixture
def reader(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder again, of links, so that no command sees what another one wrote."""
    for path in folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("uvicorn.Server.run", lambda self, sockets: None)
    monkeypatch.setenv("COMPOCLIP_SHARED", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("command", RUN, ids=lambda command: command.text[:60])
def test_a_documented_command_runs(command: Command, reader: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if command.text in ELSEWHERE:
        assert "sides" in (ROOT / "tests" / ELSEWHERE[command.text]).read_text()
        return
    words = command.words
    for flag, value in pairwise(words):
        if flag in OUTPUTS and (reader / value).is_symlink():
            (reader / value).unlink()
    if command.text.startswith(FIRST):  # the folder was made by it
        return
    if words[0] == "python":
        script = load(words[1])
        monkeypatch.setattr(sys, "argv", words[1:])
        (reader / "docs").mkdir()
        script.main()
        return
    run(smaller([str(path) for word in words[1:] for path in (sorted(reader.glob(word)) if "*" in word else [word])]))


def test_commands_are_found_and_marks_are_seen(tmp_path: Path) -> None:
    assert len(RUN) > 30
    assert sum(command.marked for command in EVERY) > 20
    page = tmp_path / "page.md"
    page.write_text(
        "`compoclip data get a` (needs the network) and `compoclip ls tasks`; `compoclip eval MODEL`\n"
        "```\ncompoclip eval a \\\n  --limit 2   # takes minutes\ncompoclip eval b  # quick\n```\n"
        "\n    # needs GPUs\n    torchrun x\n    python y\n\n```console\n$ compoclip env\ncompoclip: error\n```\n"
    )
    assert [(c.text, c.marked, c.form) for c in shown(page, tmp_path)] == [
        ("compoclip eval a --limit 2", True, False),
        ("compoclip eval b", False, False),
        ("compoclip env", False, False),
        ("torchrun x", True, False),
        ("python y", True, False),
        ("compoclip data get a", True, False),
        ("compoclip ls tasks", False, False),
        ("compoclip eval MODEL", False, True),
    ]


@pytest.mark.parametrize("page", [page for page in PAGES if snippets(page)], ids=lambda page: page.name)
def test_the_python_of_a_page_runs(page: Path, reader: Path) -> None:
    if page.name in ELSEWHERE_PYTHON:
        assert page.name in (ROOT / "tests" / ELSEWHERE_PYTHON[page.name]).read_text()
        return
    draw = np.random.default_rng(0)
    unit = lambda *shape: torch.nn.functional.normalize(torch.tensor(draw.normal(size=shape)), dim=-1)  # noqa: E731
    there = lambda *shape: torch.ones(shape, dtype=torch.bool)  # noqa: E731
    features = Features(
        **{"image": unit(3, 8), "text": unit(3, 8), "logit_scale": torch.tensor(10.0), "image_tokens": unit(3, 4, 8)},
        **{"negatives": unit(3, 2, 8), "negative_mask": there(3, 2), "text_tokens": unit(3, 5, 8)},
        **{"text_mask": there(3, 5), "negative_tokens": unit(3, 2, 5, 8), "negative_token_mask": there(3, 2, 5)},
        **{"teacher_image": unit(3, 8), "teacher_text": unit(3, 8), "teacher_negatives": unit(3, 2, 8)},
    )
    names = {"image": Image.open("photo.jpg"), "features": features, "compoclip": compoclip}
    names |= {"model": compoclip.load("tiny"), "lookup": {}}
    for code in snippets(page):
        for large, small in SMALLER.items():
            code = code.replace(large, small)
        exec(compile(code, page.name, "exec"), names)
