"""The same captioned photos in every format: training, negatives and evaluation see the same of each."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.data.conftest import write_tar

from compoclip.data.report import Report
from compoclip.data.sources import open_source
from compoclip.evaluation.task import TaskOptions
from compoclip.evaluation.tasks import retrieval
from compoclip.negatives.captions import caption_rows

PHOTOS = 40
Photo = tuple[str, bytes, list[str], str]  # name below its split, PNG, captions, split


def colour(number: int) -> tuple[int, int, int]:
    return number * 6, 255 - number * 3, number


def png(number: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 3), colour(number)).save(buffer, "PNG")
    return buffer.getvalue()


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def pairs(photos: list[Photo]) -> list[tuple[str, str, str]]:
    return [(f"{split}/{name}", text, split.upper()) for name, _, texts, split in photos for text in texts]


def delimited(suffix: str, mark: str, head: str = "", end: str = "\n", titles: str = "image caption split") -> Callable:
    def make(root: Path, photos: list[Photo]) -> None:
        out = io.StringIO()
        writer = csv.writer(out, delimiter=mark, lineterminator=end)
        writer.writerow(titles.split())
        writer.writerows(pairs(photos))
        write(root / f"captions{suffix}", (head + out.getvalue()).encode())
        beside(root, photos)

    return make


def beside(root: Path, photos: list[Photo]) -> None:
    for name, data, _, split in photos:
        write(root / "images" / split / name, data)


def lists(spell: Callable[[list[str]], object]) -> Callable:
    """A row a photo, its captions in one cell of a CSV."""

    def make(root: Path, photos: list[Photo]) -> None:
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["File_Name", "raw", "Subset"])
        writer.writerows([f"{split}/{name}", spell(texts), split] for name, _, texts, split in photos)
        write(root / "captions.csv", out.getvalue().encode())
        with zipfile.ZipFile(root / "images.zip", "w") as archive:
            for name, data, _, split in photos:
                archive.writestr(f"{split}/{name}", data)

    return make


def json_rows(root: Path, photos: list[Photo]) -> None:
    rows = [{"filepath": f"{s}/{n}", "sentences": [{"raw": t} for t in texts], "split": s} for n, _, texts, s in photos]
    write(root / "captions.json", json.dumps(rows).encode())
    beside(root, photos)


def json_lines(root: Path, photos: list[Photo]) -> None:
    rows = [{"image": f"{s}/{n}", "text": "ocr", "captions": texts, "split": s} for n, _, texts, s in photos]
    write(root / "captions.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode())
    write_tar(root / "images.tar", {f"{split}/{name}": data for name, data, _, split in photos})


def parquet_names(root: Path, photos: list[Photo]) -> None:
    names, texts, splits = zip(*pairs(photos))
    pq.write_table(pa.table({"image": names, "caption": texts, "split": splits}), root / "captions.parquet")
    beside(root, photos)


def parquet_photos(path: bool) -> Callable:
    """A row a caption, its photo inside, with its path or without."""

    def make(root: Path, photos: list[Photo]) -> None:
        rows = [
            {"image": {"bytes": data, "path": name if path else None}, "caption": text, "split": split}
            for name, data, texts, split in photos
            for text in texts
        ]
        pq.write_table(pa.Table.from_pylist(rows), root / "captions.parquet", row_group_size=16)

    return make


def by_split(photos: list[Photo]) -> dict[str, list[dict]]:
    out: dict[str, list[dict]] = {}
    for name, data, texts, split in photos:
        out.setdefault(split.lower(), []).append({"image": {"bytes": data, "path": name}, "captions": texts})
    return out


def hub(root: Path, photos: list[Photo]) -> None:
    (root / "data").mkdir()
    for split, rows in by_split(photos).items():
        pq.write_table(pa.Table.from_pylist(rows), root / "data" / f"{split}-00000-of-00001.parquet")


def saved(root: Path, photos: list[Photo]) -> None:
    for split, rows in by_split(photos).items():
        table = pa.Table.from_pylist(rows)
        (root / split).mkdir()
        with pa.OSFile(str(root / split / "data-0.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as out:
            out.write_table(table)
        write(root / split / "state.json", json.dumps({"_data_files": [{"filename": "data-0.arrow"}]}).encode())
    write(root / "dataset_dict.json", b'{"splits": ["test", "train"]}')


def members(photos: list[Photo]) -> dict[str, bytes]:
    out: dict[str, bytes] = {}
    for name, data, texts, split in photos:
        out[f"{split}/{name}"] = data
        out[f"{split}/{name.removesuffix('.png')}.txt"] = "\n".join(texts).encode()
    return out


def tar(root: Path, photos: list[Photo]) -> None:
    write_tar(root / "shard-0.tar", members(photos))


def tars_of_splits(root: Path, photos: list[Photo]) -> None:
    for split in {photo[3] for photo in photos}:
        own = {name.partition("/")[2]: data for name, data in members(photos).items() if name.startswith(split)}
        write_tar(root / f"{split.lower()}-00000.tar", own)


def folder(root: Path, photos: list[Photo]) -> None:
    for name, data in members(photos).items():
        write(root / name, data)
        write(root / name.replace("/", "/._", 1), b"litter of a Mac")
        write(root / ".ipynb_checkpoints" / name, data)


def zipped(root: Path, photos: list[Photo]) -> Path:
    with zipfile.ZipFile(root / "set.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members(photos).items():
            archive.writestr(name, data)
            archive.writestr(f"__MACOSX/{name}", b"litter of a Mac")
    return root / "set.zip"


FORMATS: dict[str, Callable] = {
    "tsv": delimited(".tsv", "\t"),
    "csv": delimited(".csv", ","),
    "excel": delimited(".csv", ";", "\ufeff", titles="Image Caption Split"),
    "excel with sep": delimited(".csv", ";", "\ufeffsep=;\r\n", "\r\n"),
    "old mac": delimited(".csv", ",", end="\r"),
    "bars": delimited(".csv", "|", titles="image_name comment set"),
    "lists as json": lists(json.dumps),
    "lists as python": lists(repr),
    "lists as numpy": lists(lambda texts: "[" + " ".join(map(repr, texts)) + "]"),
    "json": json_rows,
    "jsonl": json_lines,
    "parquet": parquet_names,
    "parquet with photos": parquet_photos(True),
    "parquet with photos without paths": parquet_photos(False),
    "hugging face hub": hub,
    "save_to_disk": saved,
    "tar": tar,
    "tars of splits": tars_of_splits,
    "photo folder": folder,
    "zip": zipped,
}

stems = st.sampled_from(["IMG_1.", "foto é ", "a b-", "x.y.z", "0", "sub dir/v1."])
words = st.text(st.sampled_from("ab é\"',;.!-0"), min_size=1, max_size=9).filter(lambda t: any(map(str.isalnum, t)))


@settings(max_examples=3, deadline=None, derandomize=True, database=None)
@given(
    stem=st.lists(stems, min_size=PHOTOS, max_size=PHOTOS),
    captions=st.lists(st.lists(words, min_size=1, max_size=2), min_size=PHOTOS, max_size=PHOTOS),
    splits=st.lists(st.sampled_from(["Test", "Test", "train"]), min_size=PHOTOS - 2, max_size=PHOTOS - 2),
)
def test_every_format_gives_the_same(stem: list[str], captions: list[list[str]], splits: list[str]) -> None:
    named = [f"{first}{number}.png" for number, first in enumerate(stem)]
    said = [[" ".join(text.split()) for text in texts] for texts in captions]
    photos = list(zip(named, map(png, range(PHOTOS)), captions, ["Test", "train", *splits]))
    wanted = sorted((colour(k), said[k]) for k in range(PHOTOS) if photos[k][3] == "Test")
    with TemporaryDirectory() as made:
        for name, make in FORMATS.items():
            root = Path(made) / name / "set"
            root.mkdir(parents=True)
            place = make(root, photos) or root
            source = open_source(place, split="test")
            seen = sorted((sample.image.load().getpixel((0, 0)), list(sample.captions)) for sample in source)
            assert seen == wanted, f"training: {name}"
            assert not source.report.total_skipped, f"{name}: {source.report}"

            report = Report()
            rows = list(caption_rows(place, report, split="TEST"))
            assert [(row[0], row[1]) for row in rows] == [
                pair for sample in source for pair in zip(sample.caption_ids, sample.captions)
            ], f"negatives: {name}"
            assert [image for _, _, image in rows] == [s.image_id for s in source for _ in s.captions]
            assert (report.captions, report.rows) == (source.report.captions, source.report.rows), name

            subset, told = retrieval.read_set(place, TaskOptions(root))
            shown = sorted((p.load().getpixel((0, 0)), list(t)) for p, t in zip(subset.image_refs(), subset.texts))
            assert shown == wanted, f"evaluation: {name}"
            assert told == str(source.report)
