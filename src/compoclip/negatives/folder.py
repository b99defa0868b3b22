"""The folder of a build: whose it is, what of it is done, and what its shards count together."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from compoclip.errors import InputError
from compoclip.io import read_json, write_json
from compoclip.locks import LOCK, exclusive
from compoclip.negatives.shards import tally_path
from compoclip.negatives.store import MANIFEST, shard_name


def before(out: Path) -> Path | None:
    """What an earlier build left here: its manifest, or the plan of an unfinished one."""
    return next((out / name for name in (MANIFEST, "plan.json") if (out / name).is_file()), None)


@contextlib.contextmanager
def opened(out: Path, resume: bool) -> Iterator[None]:
    """The folder of a build; one that was made for input that proves bad is taken away again."""
    if out.is_file():
        raise InputError(f"{out}: is a file; --out names a folder")
    if before(out) is not None and not resume:
        raise InputError(
            f"{out}: contains negatives already; add --resume to finish them, or name another --out folder"
        )
    if before(out) is None and out.is_dir() and any(out.glob("negatives-*.parquet")):
        raise InputError(f"{out}: contains shards without a manifest; name another --out folder")
    made = not out.exists()
    try:
        busy = f"{out}: another build is writing here; let it end, or name another --out folder"
        with exclusive(out / LOCK, busy, remove=True):
            for leftover in out.glob(".*.tmp"):  # of a build that was killed: nobody else writes here now
                leftover.unlink(missing_ok=True)
            yield
    except InputError:
        if made:
            with contextlib.suppress(OSError):
                out.rmdir()
        raise


def claim(out: Path, header: dict[str, Any]) -> None:
    """Write down what is built here, or make sure that the build that was begun is this one."""
    earlier = before(out)
    if earlier is None:
        write_json(out / "plan.json", header)
        return
    found = read_json(earlier)
    changed = [key for key, value in json.loads(json.dumps(header)).items() if found.get(key) != value]
    if changed:
        raise InputError(f"{out}: contains a build with other {', '.join(changed)}; name another --out folder")


def done(out: Path, number: int) -> bool:
    """A shard is done when both its files are there; the counts are written last."""
    if (out / MANIFEST).is_file():
        return (out / shard_name(number)).is_file()
    return (out / shard_name(number)).is_file() and tally_path(out, number).is_file()


TALLIED = ("made", "refused", "negatives_a_caption", "other_languages", "units")  # captions left alone, by language


def counts(out: Path, number_of_shards: int) -> dict[str, Any]:
    if (out / MANIFEST).is_file():
        found = read_json(out / MANIFEST)
        return {key: found[key] for key in ("negatives", "coverage", *TALLIED) if key in found}
    totals: dict[str, Counter[str]] = {name: Counter() for name in TALLIED}
    for number in range(number_of_shards):
        for name, own in read_json(tally_path(out, number)).items():
            totals[name].update(own)
    captions = sum(totals["negatives_a_caption"].values())
    covered = captions - totals["negatives_a_caption"]["0"]
    return {
        "negatives": sum(totals["made"].values()),
        "coverage": round(covered / captions, 6),
        **{name: dict(sorted(found.items())) for name, found in totals.items() if found or name != "units"},
    }
