"""The ending of a build: every kind with what it made and what was refused, nothing of the manifest lost unsaid."""

from __future__ import annotations

import io
import json
from pathlib import Path

from rich.console import Console

from compoclip.negatives.build import build
from compoclip.negatives.build_summary import summary

CAPTIONS = [
    "a man rides a brown horse near a white fence",
    "a dog chases a red ball",
    "Ein Hund und eine Katze",
    "",
    "x",
]


def shown(parts) -> str:
    out = io.StringIO()
    console = Console(file=out, width=80)
    for part in parts:
        console.print(part, markup=False, highlight=False, soft_wrap=isinstance(part, str))
    return out.getvalue()


def test_it_says_what_the_manifest_says_and_what_comes_next(tmp_path: Path) -> None:
    (tmp_path / "my captions.txt").write_text("\n".join(CAPTIONS) + "\n")
    manifest = build(tmp_path / "my captions.txt", tmp_path / "out", kinds="fsc-clip", per_caption=4)
    text = shown(summary(manifest, tmp_path / "out", [tmp_path / "my captions.txt"]))
    assert f"{manifest['negatives']} negatives of {manifest['captions']} captions" in text
    for kind, count in manifest["made"].items():
        assert any(line.split()[:2] == [kind, str(count)] for line in text.splitlines())
    for name, count in manifest["refused"].items():
        kind, gate = name.rsplit("/", 1)
        assert any(line.startswith(kind) and f"{gate} {count}" in line for line in text.splitlines())
    for title in ("skipped", "other_languages", "notes"):
        assert (f"{title.replace('_', ' ')}: " in text) == bool(manifest[title])
    assert f"negatives inspect {tmp_path / 'out'}\n" in text
    assert f"--data '{tmp_path / 'my captions.txt'}'" in text
    assert len(text.splitlines()) < 24  # a screen


def test_what_it_does_not_know_is_shown_and_what_is_unfinished_is_left_to_others() -> None:
    made = {
        "made": {"a": 1200},
        "refused": {"b/gate": 7},
        "coverage": 0.5,
        "negatives": 1200,
        "captions": 9,
        "images": 3,
    }
    text = shown(
        summary(json.loads(json.dumps(made | {"spent": {"requests": 4}})), Path("out"), [Path("a"), Path("b")])
    )
    assert "spent: requests 4" in text
    assert "1,200 negatives of 9 captions (3 images); 50.0 % of captions" in text
    assert list(summary({"batch": "b1"}, Path("out"), [Path("a")])) == []
