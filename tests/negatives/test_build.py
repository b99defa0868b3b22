"""Builds: the same bytes whatever the workers, the hash seed and the interruptions; clear refusals."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from compoclip.errors import InputError
from compoclip.negatives import read_negatives
from compoclip.negatives.build import build
from compoclip.negatives.captions import read_captions
from compoclip.negatives.store import iterate

KINDS = "swap-nouns,replace-nouns,replace-adjectives,replace-relations,shuffle"
NOUNS = ("dog", "cat", "horse", "man", "woman", "car", "truck", "bench", "kite", "pizza")
COLOURS = ("red", "blue", "green", "black", "white")
RUN = """
import sys
from compoclip.negatives.build import build
if __name__ == "__main__":
    build(sys.argv[1], sys.argv[2], {kinds!r}, 4, workers=int(sys.argv[3]), seed=3, shard_size=int(sys.argv[4]))
"""


@pytest.fixture(scope="module")
def captions(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("captions") / "captions.tsv"
    lines = ["image\tcaption\tsplit"]
    for i in range(400):
        one, other = NOUNS[i % 10], NOUNS[(i * 7 + 3 + i // 10) % 10]
        lines.append(f"{i // 2}.jpg\tA {COLOURS[i % 5]} {one} in front of a {COLOURS[(i // 3) % 5]} {other} .\ttrain")
    path.write_text("\n".join(lines) + "\n")
    return path


def digest(folder: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        total.update(path.name.encode() + path.read_bytes())
    return total.hexdigest()


def start(captions: Path, out: Path, workers: int, shard: int, hash_seed: str) -> subprocess.Popen[bytes]:
    env = {**os.environ, "PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": "1"}
    script = out.parent / "run.py"
    script.write_text(RUN.format(kinds=KINDS))
    arguments = [str(captions), str(out), str(workers), str(shard)]
    return subprocess.Popen([sys.executable, str(script), *arguments], env=env, stderr=subprocess.PIPE)


def rows_of(folder: Path) -> str:
    return hashlib.sha256(repr(list(iterate(folder))).encode()).hexdigest()


@pytest.fixture(scope="module")
def reference(captions, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("reference") / "out"
    build(captions, out, KINDS, per_caption=4, seed=3, shard_size=100)
    return out


def test_manifest_and_shards_say_what_is_there(reference, captions):
    manifest = json.loads((reference / "manifest.json").read_text())
    found = read_negatives(reference)
    assert manifest["captions"] == len(found) == 400
    assert manifest["negatives"] == sum(len(negatives) for _, negatives in found.values())
    assert sum(manifest["made"].values()) == manifest["negatives"]
    assert manifest["seed"] == 3
    assert manifest["vocabulary"] == "captions"
    assert manifest["shards"] == len(list(reference.glob("negatives-*.parquet"))) == 4
    assert not [path for path in reference.iterdir() if path.name.startswith(".")]
    caption, negatives = found["7.jpg#1"]
    assert found.by_caption(caption) == negatives
    assert found.by_caption("a caption that was not there") == []


def test_negatives_are_never_a_true_caption_of_the_image(reference, captions):
    rows, _ = read_captions(captions)
    by_id = {row.caption_id: row for row in rows}
    for caption_id, (caption, negatives) in read_negatives(reference).items():
        for negative in negatives:
            assert negative.text not in (caption, *by_id[caption_id].others)


def test_workers_and_hash_seeds_do_not_matter(reference, captions, tmp_path):
    out = tmp_path / "out"
    process = start(captions, out, workers=2, shard=100, hash_seed="1")
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert digest(out) == digest(reference)


def test_shard_size_changes_files_but_no_row(reference, captions, tmp_path):
    build(captions, tmp_path / "out", KINDS, per_caption=4, seed=3, shard_size=37)
    assert rows_of(tmp_path / "out") == rows_of(reference)


def test_kill_and_resume_give_the_same_bytes(reference, captions, tmp_path):
    out = tmp_path / "out"
    process = start(captions, out, workers=1, shard=100, hash_seed="77")
    while len(list(out.glob("negatives-*.parquet"))) < 2 and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with pytest.raises(InputError, match="--resume"):
        build(captions, out, KINDS, per_caption=4, seed=3, shard_size=100)
    if not (out / "manifest.json").exists():
        with pytest.raises(InputError, match="no manifest"):
            read_negatives(out)
    build(captions, out, KINDS, per_caption=4, seed=3, shard_size=100, resume=True)
    assert digest(out) == digest(reference)
    before = {path: path.stat().st_mtime_ns for path in out.glob("*.parquet")}
    build(captions, out, KINDS, per_caption=4, seed=3, shard_size=100, resume=True)  # nothing left to do
    assert {path: path.stat().st_mtime_ns for path in out.glob("*.parquet")} == before
    assert digest(out) == digest(reference)


def test_resume_with_other_settings_is_refused(reference, captions):
    with pytest.raises(InputError, match="other seed"):
        build(captions, reference, KINDS, per_caption=4, seed=4, shard_size=100, resume=True)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", "image\ttext_of_it\n1\tx\n", "no column 'caption'"),
        ("a.tsv", "caption\n\n", "no captions"),
        ("a.jsonl", '{"caption": "a dog"}\nnot json\n', "row 2"),
        ("a.xyz", "a dog\n", "captions come as"),
        ("a.parquet", "no parquet", "not a Parquet file"),
    ],
)
def test_bad_input_names_file_and_row(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        build(tmp_path / name, tmp_path / "out", "shuffle")
    assert name in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_missing_file_and_not_utf8(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_captions(tmp_path / "none.tsv")
    (tmp_path / "latin.tsv").write_bytes(b"caption\na caf\xe9\n")
    with pytest.raises(InputError, match="UTF-8"):
        read_captions(tmp_path / "latin.tsv")


def test_forms_of_input_give_the_same_captions(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = ["a dog, and a cat", 'a "red" car']
    (tmp_path / "a.txt").write_text("\n".join(texts))
    (tmp_path / "a.csv").write_text('caption\n"a dog, and a cat"\n"a ""red"" car"\n')
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"caption": text}) + "\n" for text in texts))
    (tmp_path / "a.json").write_text(json.dumps([{"caption": text} for text in texts]))
    pq.write_table(pa.table({"caption": texts}), tmp_path / "a.parquet")
    found = {
        suffix: read_captions(tmp_path / f"a.{suffix}")[0] for suffix in ("txt", "csv", "jsonl", "json", "parquet")
    }
    assert [caption.text for caption in found["txt"]] == texts
    assert all(captions == found["txt"] for captions in found.values())


def test_several_captions_a_row_know_each_other(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"image": "x.jpg", "captions": ["a dog", "a pet", ""]}\n')
    captions, skipped = read_captions(tmp_path / "a.jsonl")
    assert [(c.caption_id, c.text, c.others) for c in captions] == [
        ("x.jpg#0", "a dog", ("a pet",)),
        ("x.jpg#1", "a pet", ("a dog",)),
    ]
    assert skipped == {"empty caption": 1}


def test_repeated_captions_get_their_own_ids(tmp_path):
    (tmp_path / "a.txt").write_text("a dog\na dog\n")
    captions, _ = read_captions(tmp_path / "a.txt")
    assert len({caption.caption_id for caption in captions}) == 2
