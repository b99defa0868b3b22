"""Damaged and hostile files for every reader: none may hang, and none may raise anything but InputError and RunError.

    python benchmarks/fuzz.py [--minutes 10] [--seed 0] [--target csv] [--case 17] [--limit 10]

A case is made from (seed, target, number) alone: a good file, changed in one to three places. `--target` with `--case`
repeats one and shows its traceback. Exit status 1 where a case failed; each is named with the command that repeats it.

Long because every reader has its good file and its case here, side by side.
"""

from __future__ import annotations

import argparse
import faulthandler
import io
import json
import random
import re
import resource
import shutil
import signal
import sys
import tarfile
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from compoclip.errors import InputError, RunError

LIMIT = 10.0  # seconds for one input; most take milliseconds
MEMORY = 12 * 2**30  # bytes more than the process has at its start
CAPTIONS = ("a red square left of a blue circle", "two dogs, one cat", 'he says "hi"', "naïve café ☕", "a;b\tc")
# pieces that readers have stumbled on before
PIECES = (
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\r",
    b"\r\n\n",
    b'"',
    b'""',
    b"[" * 3000,
    b'{"a":' * 3000,
    b"9" * 5000,
    b"1e999",
    b"-1",
    b"NaN",
    b"null",
    b"true",
    b"[]",
    b"{}",
    b'"\\ud800"',
    b"\\x",
    b"../../../etc/passwd",
    b"\xff" * 8,
    b"\x80" + b"\x00" * 10 + b"\xff",
    b"\x7f\xff\xff\xff",
    b"x" * 70000,
    b"\x1b[2J",
    b"&a [*a, *a]",
    b"!!python/object/apply:os.system [id]",
)
SMALL = (b'"x"', b"0", b"-7", b"1.5", b"18446744073709551616")
VALUES = re.compile(rb'"[^"\n]{0,80}"|-?\d+(?:\.\d+)?|\b[a-z_]{2,20}\b')
# places in a tar's header and what they may say: the size, and the kind of member
LIES = (
    (124, (b"77777777777\0", b"\xff" * 12, b"\x80" + b"\xff" * 11, b"00000000000\0")),
    (156, (b"L", b"x", b"S", b"2")),
)


class Hang(BaseException):
    """The input's time is over; no `except Exception` takes it."""


def damaged(data: bytes, rng: random.Random) -> bytes:
    """The file with one to three changes: bits, cuts, repeats, pieces put in or in place of others."""
    body = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        size = len(body)
        at = rng.randrange(size + 1)
        way = rng.randrange(8)
        if way == 0 and size:
            body[at % size] ^= 1 << rng.randrange(8)
        elif way == 1:
            del body[at:]
        elif way == 2:
            del body[at : at + rng.randint(1, 40)]
        elif way == 3:
            body[at:at] = body[at : at + rng.randint(1, 200)]
        elif way == 4:
            body[at:at] = rng.choice(PIECES)
        elif way == 5:
            piece = rng.choice(PIECES)
            body[at : at + len(piece)] = piece
        elif way == 6:
            body[at : at + 4] = rng.randbytes(4)
        elif size:
            _change_value(body, rng)
    return bytes(body)


def _change_value(body: bytearray, rng: random.Random) -> None:
    """A number, a word or a quoted text becomes another value, so that the syntax around it stays whole."""
    import re

    found = list(
        re.finditer(rb'"[^"\n]{0,80}"|-?\d+(?:\.\d+)?|\b(?:true|false|null|[a-z_]{2,20})\b', bytes(body[:200_000]))
    )
    if found:
        place = rng.choice(found)
        body[place.start() : place.end()] = rng.choice(PIECES + SMALL)


def photo(kind: str = "PNG", shade: int = 0) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (12, 9), (shade * 40 % 256, 90, 200)).save(out, kind)
    return out.getvalue()


def rows() -> list[dict[str, Any]]:
    return [{"image": f"{i:03d}.png", "caption": text, "split": "train"} for i, text in enumerate(CAPTIONS)]


def put(folder: Path, name: str, data: bytes, rng: random.Random) -> Path:
    path = folder / name
    path.write_bytes(damaged(data, rng))
    return path


def photos_beside(folder: Path) -> None:
    for i in range(len(CAPTIONS)):
        (folder / f"{i:03d}.png").write_bytes(photo(shade=i))


def read_data(path: Path) -> None:
    """As training, negatives and evaluation read the same file."""
    from compoclip.data.report import Report
    from compoclip.data.sources import open_source
    from compoclip.evaluation.captioned import read_file
    from compoclip.negatives.captions import caption_rows

    each(lambda: list(caption_rows([path], Report())), lambda: read_file(path), lambda: _all(open_source(path)))


def _all(source: Any) -> None:
    for sample in source:
        each(lambda: sample.image.load())  # noqa: B023


def each(*calls: Callable[[], object]) -> None:
    """Every call, whatever the ones before it said; where all refuse, the last refusal is raised again."""
    refused: list[Exception] = []
    for call in calls:
        try:
            call()
        except (InputError, RunError) as error:
            refused.append(error)
    if len(refused) == len(calls):
        raise refused[-1]


def csv_case(folder: Path, rng: random.Random) -> None:
    photos_beside(folder)
    mark = rng.choice([",", ";", "\t"])
    lines = [mark.join(("image", "caption", "split"))]
    lines += [mark.join((r["image"], '"' + r["caption"].replace('"', '""') + '"', "train")) for r in rows()]
    read_data(put(folder, rng.choice(["captions.csv", "captions.tsv"]), "\n".join(lines).encode(), rng))


def json_case(folder: Path, rng: random.Random) -> None:
    photos_beside(folder)
    forms: list[Any] = [rows()]
    forms.append([{**row, "caption": [row["caption"], "another"]} for row in rows()])
    coco = {"images": [{"id": 1, "file_name": "000.png"}], "annotations": [{"image_id": 1, "caption": "a dog"}]}
    forms.append(coco)
    forms.append([{"image_id": i, "original": "a dog", "enhanced": ["a cat"] * 4} for i in range(3)])
    for i in range(3):
        (folder / f"{i:012d}.jpg").write_bytes(photo("JPEG", i))
    read_data(put(folder, "captions.json", json.dumps(rng.choice(forms)).encode(), rng))


def jsonl_case(folder: Path, rng: random.Random) -> None:
    photos_beside(folder)
    body = "".join(json.dumps(row, ensure_ascii=rng.random() < 0.5) + "\n" for row in rows())
    read_data(put(folder, "captions.jsonl", body.encode(), rng))


def parquet_case(folder: Path, rng: random.Random) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    photos_beside(folder)
    found = rows()
    if rng.random() < 0.5:
        found = [{**row, "image": {"bytes": photo(shade=i), "path": row["image"]}} for i, row in enumerate(found)]
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(found), out, compression=rng.choice(["none", "snappy", "zstd"]))
    read_data(put(folder, "captions.parquet", out.getvalue(), rng))


def members() -> Iterator[tuple[str, bytes]]:
    for i, text in enumerate(CAPTIONS):
        yield f"{i:03d}.png", photo(shade=i)
        yield f"{i:03d}.txt", text.encode()
        yield f"{i:03d}.json", json.dumps({"caption": text}).encode()


def tar_of(pairs: Iterable[tuple[str, bytes]], form: int = tarfile.PAX_FORMAT, mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=form) as tar:  # type: ignore[call-overload]
        for name, data in pairs:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def relabelled(body: bytes, rng: random.Random) -> bytes:
    """A tar one header of which lies, its checksum put right so that readers believe it."""
    start = 512 * rng.randrange(max(1, min(60, len(body) // 512)))
    header = bytearray(body[start : start + 512])
    if len(header) < 512 or header[257:262] != b"ustar":
        return body
    at, lies = rng.choice(LIES)
    lie = rng.choice(lies)
    header[at : at + len(lie)] = lie
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    return body[:start] + bytes(header) + body[start + 512 :]


def archive(path: Path) -> None:
    from compoclip.data.images.stores import open_store
    from compoclip.data.unpack import unpack

    def store() -> None:
        opened = open_store(path)
        for name in opened.names():
            found = opened.get(name)
            if found is not None:
                each(found.load)

    each(store, lambda: unpack(path, path.parent / "out"), lambda: read_data(path))


def tar_case(folder: Path, rng: random.Random) -> None:
    body = tar_of(members(), rng.choice([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT]))
    body = relabelled(body, rng)
    path = folder / "data.tar"
    path.write_bytes(body if rng.random() < 0.5 else damaged(body, rng))
    archive(path)


def packed_tar_case(folder: Path, rng: random.Random) -> None:
    from compoclip.data.unpack import unpack

    mode = rng.choice(["gz", "bz2", "xz"])
    path = put(folder, f"data.tar.{mode}", tar_of(members(), mode=f"w:{mode}"), rng)
    unpack(path, folder / "out")


def zip_case(folder: Path, rng: random.Random) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])) as opened:
        for name, data in members():
            opened.writestr(name, data)
    archive(put(folder, "data.zip", out.getvalue(), rng))


def photo_case(folder: Path, rng: random.Random) -> None:
    from compoclip.decode import FORMATS, open_image

    data = damaged(photo(rng.choice([*FORMATS, "MPO"])), rng)
    each(lambda: open_image(data, rotate=True), lambda: open_image(data, where="row 1"))


def results_case(folder: Path, rng: random.Random) -> None:
    from compoclip.report import load_results, table, write_report

    subset = {"accuracy": 50.0, "n": 4, "missing": 0, "ties": 0, "chance": 50.0, "ci95": [20.0, 80.0], "rows": "x"}
    subset["hits"] = {"n": 4, "bits": "oA=="}
    subsets = {
        "k0": {**subset, "part": "composition"},
        "zeroshot/s0": {**subset, "part": "zeroshot"},
        "retrieval/i2t": {**subset, "part": "retrieval", "R@1": 50.0, "R@5": 60.0, "R@10": 70.0},
    }
    task = {
        "subsets": subsets,
        "score": 50.0,
        "score_ci95": [20.0, 80.0],
        "rule": "mean",
        "ties": "strict",
        "version": "1",
    }
    task |= {"scores": {"mean": 50.0}, "weights": {"mean": {"k0": 1.0}}, "controls": {}}
    summary = {"comp": 50.0, "zeroshot": 50.0, "i2t": 50.0, "t2i": None}
    whole = {"schema": 1, "label": "a", "model": {"name": "m"}, "tasks": {"world": task}, "summary": summary}
    whole |= {"settings": {"seed": 0}, "skipped": {"b": "absent"}, "environment": {"packages": {"torch": "2"}}}
    path = put(folder, "results.json", json.dumps(whole).encode(), rng)
    loaded = load_results([path])
    write_report(loaded, folder / "out")
    table(loaded, detail=True)


def model_case(folder: Path, rng: random.Random) -> None:
    from compoclip.models import load
    from compoclip.models.load import TINY

    model = folder / "model"
    shutil.copytree(TINY, model)
    file = rng.choice(["open_clip_config.json", "open_clip_config.json", "tokenizer_config.json", "tokenizer.json",
                       "open_clip_model.safetensors"])  # fmt: skip
    (model / file).write_bytes(damaged((model / file).read_bytes(), rng))
    load(model).encode_text(["a red square"])


def weights_case(folder: Path, rng: random.Random) -> None:
    import torch
    from safetensors.torch import save

    from compoclip.models.weights import _state_dict, read_tensors

    state = {"logit_scale": torch.ones(()), "visual.proj": torch.ones(4, 4)}
    out = io.BytesIO()
    torch.save({"state_dict": state, "epoch": 1}, out)
    name, data = rng.choice([("w.pt", out.getvalue()), ("w.safetensors", save(state))])
    path = put(folder, name, data, rng)
    _state_dict(read_tensors(path), path)


def config_case(folder: Path, rng: random.Random) -> None:
    import yaml

    from compoclip.config import read_config, resolve

    body = yaml.safe_dump(resolve("fsc-clip", {"data": "x.tsv"}).model_dump(mode="json")).encode()
    read_config(put(folder, "config.yaml", body, rng))


def negatives_case(folder: Path, rng: random.Random) -> None:
    from compoclip.negatives import Negative
    from compoclip.negatives.store import MANIFEST, read_negatives, write_shard

    found = [(f"{i}", text, [Negative("a blue square", "swap-adjectives")]) for i, text in enumerate(CAPTIONS)]
    write_shard(folder / "negatives-00000.parquet", found)
    manifest = {"schema": 1, "captions": len(found), "negatives": len(found), "shards": 1, "complete": True}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    file = folder / rng.choice(["negatives-00000.parquet", MANIFEST])
    file.write_bytes(damaged(file.read_bytes(), rng))
    read_negatives(folder)


def features_case(folder: Path, rng: random.Random) -> None:
    import numpy as np

    from compoclip.evaluation.feature_file import FeatureFile

    out = io.BytesIO()
    table = np.eye(3, dtype=np.float32)
    np.savez(
        out, image_keys=np.array(list("abc")), image_features=table, texts=np.array(list("xyz")), text_features=table
    )
    FeatureFile(put(folder, "features.npz", out.getvalue(), rng))


TARGETS: dict[str, Callable[[Path, random.Random], None]] = {
    "csv": csv_case,
    "json": json_case,
    "jsonl": jsonl_case,
    "parquet": parquet_case,
    "tar": tar_case,
    "packed-tar": packed_tar_case,
    "zip": zip_case,
    "photo": photo_case,
    "results": results_case,
    "model": model_case,
    "weights": weights_case,
    "config": config_case,
    "negatives": negatives_case,
    "features": features_case,
}


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raises Hang after `seconds`; where that cannot reach the code, shows where it is and ends the process."""

    def over(*_: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    faulthandler.dump_traceback_later(3 * seconds, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def run_case(target: str, seed: int, number: int, limit: float = LIMIT) -> tuple[str, str]:
    """(outcome, traceback): `read`, `InputError`, `RunError`, or the name of what must not happen, with its place."""
    rng = random.Random(f"{seed}:{target}:{number}")
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        try:
            quiet = io.StringIO()
            with limited(limit), redirect_stdout(quiet), redirect_stderr(quiet):
                TARGETS[target](Path(folder), rng)
        except (InputError, RunError) as error:
            if "\n" in str(error).strip():
                return "a message of several lines", str(error)
            return "InputError" if isinstance(error, InputError) else "RunError", str(error)
        except Hang:
            return "a hang", traceback.format_exc()
        except Exception as error:
            return type(error).__name__, traceback.format_exc()
    return "read", ""


GOOD = ("read", "InputError", "RunError")


def run_all(
    targets: Iterable[str], seed: int, until: Callable[[int], bool], limit: float = LIMIT
) -> tuple[dict[str, Counter[str]], list[tuple[str, int, str, str]]]:
    """Cases of every target in turn while `until(cases so far)` is False: counts, and (target, number, what, where)."""
    counts: dict[str, Counter[str]] = {target: Counter() for target in targets}
    bad: list[tuple[str, int, str, str]] = []
    number = done = 0
    while True:
        for target in counts:
            if until(done):
                return counts, bad
            outcome, where = run_case(target, seed, number, limit)
            counts[target][outcome] += 1
            done += 1
            if outcome not in GOOD:
                bad.append((target, number, outcome, where))
        number += 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", choices=list(TARGETS))
    parser.add_argument("--case", type=int)
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds for one input")
    given = parser.parse_args()
    import torch  # noqa: F401  (before memory is limited, and outside the first case's time)

    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, resource.RLIM_INFINITY))
    if given.case is not None and given.target:
        outcome, where = run_case(given.target, given.seed, given.case, given.limit)
        print(outcome, where, sep="\n")
        return int(outcome not in GOOD)
    end = time.monotonic() + 60 * given.minutes
    for target in TARGETS:  # what is imported late is not counted as a hang
        run_case(target, given.seed, 0, 300.0)
    counts, bad = run_all(
        [given.target] if given.target else TARGETS, given.seed, lambda _: time.monotonic() >= end, given.limit
    )
    for target, found in counts.items():
        print(f"{target:<12} {sum(found.values()):>7}  " + ", ".join(f"{k} {v}" for k, v in found.most_common()))
    seen: Counter[str] = Counter()
    for target, number, outcome, where in bad:
        place = " <- ".join(line.strip() for line in where.strip().splitlines()[-1:])
        seen[f"{target} {outcome}"] += 1
        if seen[f"{target} {outcome}"] <= 5:
            print(f"{outcome}: {place[:160]}: benchmarks/fuzz.py --seed {given.seed} --target {target} --case {number}")
    print(f"{sum(sum(c.values()) for c in counts.values())} cases, {len(bad)} failed")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
