"""Negatives on disk: Parquet shards and a manifest."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from compoclip.data.extras import Unit
from compoclip.errors import InputError
from compoclip.io import read_json, write_bytes
from compoclip.negatives.types import Edit, Negative

__all__ = ["Negatives", "iterate", "read_negatives"]

MANIFEST = "manifest.json"
SCHEMA = 1
Row = tuple[str, str, list[Negative]]  # caption id, caption, negatives


def shard_name(number: int) -> str:
    return f"negatives-{number:05d}.parquet"


def epoch_folder(folder: Path, number: int) -> Path:
    """Where a build of several epochs keeps one of them."""
    return folder / f"epoch-{number}"


def epoch_folders(folder: str | Path) -> list[Path]:
    """The builds in a folder by `negatives build --epochs N`, in order; [] for a folder that is none.

    Raises InputError where one in between is missing.
    """
    numbers = {path.name.removeprefix("epoch-") for path in Path(folder).glob("epoch-*") if path.is_dir()}
    found = sorted(int(number) for number in numbers if number.isdecimal())
    if found != list(range(len(found))):
        missing = next(number for number in range(len(found)) if number != found[number])
        raise InputError(f"{epoch_folder(Path(folder), missing)}: is missing among the epochs of the build")
    return [epoch_folder(Path(folder), number) for number in found]


def _schema(units: bool) -> Any:
    import pyarrow as pa

    edit = pa.struct([("start", pa.int32()), ("end", pa.int32()), ("old", pa.string()), ("new", pa.string())])
    negative = pa.struct(
        [
            ("text", pa.string()),
            ("kind", pa.string()),
            ("edits", pa.list_(edit)),
            ("source", pa.string()),
            ("plausibility", pa.float32()),
            ("twin", pa.string()),
            ("text_only", pa.float32()),
        ]
    )
    columns = [("caption_id", pa.string()), ("caption", pa.string()), ("negatives", pa.list_(negative))]
    unit = pa.struct([("text", pa.string()), ("kind", pa.string()), ("foils", pa.list_(pa.string()))])
    return pa.schema([*columns, ("units", pa.list_(unit))] if units else columns)


def caption_key(caption: str) -> str:
    """The id of a caption that brings none: a hash of its text, so that its place among others does not matter."""
    return hashlib.blake2b(caption.encode("utf-8"), digest_size=8).hexdigest()


def caption_hash(caption_id: str, caption: str) -> int:
    """Sums of these are equal where captions and their ids are, whatever their order; see `captions_hash`."""
    return int.from_bytes(hashlib.blake2b(f"{caption_id}\x1f{caption}".encode(), digest_size=16).digest(), "little")


def captions_hash(total: int) -> str:
    """A sum of `caption_hash`es as the manifest states it."""
    return f"{total % 2**128:032x}"


def as_dict(negative: Negative) -> dict[str, Any]:
    """A negative as JSON and Parquet keep it; `twin` and `text_only` only where it has one."""
    own = {"twin": negative.twin, "text_only": negative.text_only}
    edits = [edit._asdict() for edit in negative.edits]
    return {
        "text": negative.text,
        "kind": negative.kind,
        "edits": edits,
        "source": negative.source,
        "plausibility": negative.plausibility,
        **{name: value for name, value in own.items() if value is not None},
    }


def shard_bytes(rows: Iterable[Row], units: Sequence[Sequence[Unit]] | None = None) -> bytes:
    """One Parquet file; equal rows give equal bytes. units: of each row, for one more column."""
    import pyarrow as pa

    columns: dict[str, list[Any]] = {"caption_id": [], "caption": [], "negatives": []}
    for caption_id, caption, negatives in rows:
        columns["caption_id"].append(caption_id)
        columns["caption"].append(caption)
        columns["negatives"].append([as_dict(negative) for negative in negatives])
    if units is not None:
        columns["units"] = [[{**unit._asdict(), "foils": list(unit.foils)} for unit in row] for row in units]
    return table_bytes(pa.table(columns, schema=_schema(units is not None)))


def table_bytes(table: Any) -> bytes:
    """A pyarrow table as a shard's file."""
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def write_shard(path: Path, rows: Iterable[Row], units: Sequence[Sequence[Unit]] | None = None) -> None:
    """One Parquet file, written whole or not at all."""
    write_bytes(path, shard_bytes(rows, units))


def _read(path: Path, columns: list[str]) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return list(pq.read_table(path, columns=columns).to_pylist())
    except (pa.ArrowInvalid, pa.ArrowException, OSError, KeyError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a negatives shard ({str(error).splitlines()[0]}); build it again") from None


def iterate_units(folder: str | Path) -> Iterator[tuple[str, str, tuple[Unit, ...]]]:
    """(caption id, caption, units) of a build with units, in input order.

    Raises InputError for a build without.
    """
    folder = Path(folder)
    paths = shards(folder)
    if "foils_per_unit" not in read_json(folder / MANIFEST):
        raise InputError(f"{folder}: contains no units; build it with `compoclip negatives build --units`")
    for path in paths:
        for row in _read(path, ["caption_id", "caption", "units"]):
            with _naming(path):
                found = [Unit(u["text"], u["kind"], tuple(u["foils"] or ())) for u in row["units"] or ()]
            yield row["caption_id"], row["caption"], tuple(found)


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Columns of the right names may contain something else."""
    try:
        yield
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not a negatives shard (a column contains something else: {error})") from None


def read_shard(path: Path) -> Iterator[Row]:
    for row in _read(path, ["caption_id", "caption", "negatives"]):
        with _naming(path):
            negatives = [
                Negative(
                    n["text"],
                    n["kind"],
                    tuple(Edit(**edit) for edit in n["edits"] or ()),
                    n["source"],
                    n.get("plausibility"),
                    n.get("twin"),
                    n.get("text_only"),
                )
                for n in row["negatives"] or ()
            ]
        yield row["caption_id"], row["caption"], negatives


def shards(folder: str | Path) -> list[Path]:
    """The shards of a finished build, in order. Raises InputError where the folder is none or lacks a shard."""
    folder = Path(folder)
    if not (folder / MANIFEST).is_file():
        if epochs := epoch_folders(folder):
            raise InputError(f"{folder}: contains a build for each of {len(epochs)} epochs; name one, as {epochs[0]}")
        raise InputError(
            f"{folder}: no {MANIFEST} here; make it with `compoclip negatives build` (or finish it: --resume)"
        )
    manifest = read_json(folder / MANIFEST)
    count = manifest.get("shards") if isinstance(manifest, dict) else None
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise InputError(f"{folder / MANIFEST}: does not say how many 'shards' there are; build it again")
    found = (folder / shard_name(number) for number in range(count))
    paths = []
    for path in found:
        if not path.is_file():
            raise InputError(f"{path}: shard is missing; run the build again with --resume")
        paths.append(path)
    return paths


def iterate(folder: str | Path) -> Iterator[Row]:
    """Rows of a build in input order, one shard in memory at a time.

    folder: what `build` wrote.

    Example: next(iterate("negatives"))
    """
    for path in shards(folder):
        yield from read_shard(path)


class Negatives(dict[str, tuple[str, list[Negative]]]):
    """caption id -> (caption, negatives), with a look-up by the caption's text."""

    def by_caption(self, caption: str) -> list[Negative]:
        """Negatives of a caption given by its text (white space normalised); [] where it has none."""
        if not hasattr(self, "_by_text"):
            self._by_text: dict[str, list[Negative]] = {}
            for text, negatives in self.values():
                self._by_text.setdefault(" ".join(text.split()), negatives)
        return self._by_text.get(" ".join(caption.split()), [])


def read_negatives(folder: str | Path) -> Negatives:
    """All negatives of a build. Raises InputError where the folder contains none, or an unfinished build.

    Example: read_negatives("negatives")
    """
    found = Negatives()
    for caption_id, caption, negatives in iterate(folder):
        found[caption_id] = (caption, negatives)
    return found
