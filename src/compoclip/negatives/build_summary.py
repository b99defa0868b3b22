"""What a build ends with in a terminal: the kinds that were made and refused, and the next command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from compoclip.progress import command

# shown here in other words, or of use to programs alone: manifest.json contains them all
LEFT_OUT = frozenset({"schema", "kinds", "per_caption", "seed", "epoch", "vocabulary", "versions", "input_sha256"}) | {
    *("inputs", "captions", "images", "skipped", "captions_hash", "shard_size", "shards", "skipped_first", "notes"),
    *("negatives", "coverage", "made", "refused", "negatives_a_caption", "other_languages"),
}


def summary(manifest: Mapping[str, Any], out: Path, inputs: Sequence[Path]) -> Iterator[str | Table]:
    """Lines and a table for `manifest`, the result of `build`; nothing where it is not that of a finished build."""
    if "made" not in manifest:
        return
    covered = 100 * float(manifest["coverage"])
    yield (
        f"{manifest['negatives']:,} negatives of {manifest['captions']:,} captions ({manifest['images']:,} images); "
        f"{covered:.1f} % of captions have at least one"
    )
    yield _by_kind(manifest)
    for title in ("skipped", "skipped_first", "other_languages", "notes"):
        if manifest.get(title):
            yield f"{title.replace('_', ' ')}: {_plain(manifest[title])}"
    for name, value in manifest.items():
        if name not in LEFT_OUT:
            yield f"{name.replace('_', ' ')}: {_plain(value)}"
    yield f"All of this, with versions and hashes: {out / 'manifest.json'}"
    yield command("compoclip", "negatives", "inspect", str(out), before="To read some: ")
    data = str(inputs[0]) if len(inputs) == 1 else "DATA"
    train = ("train", "fsc-clip", "--data", data, "--negatives", str(out), "--output-dir", "runs/fsc")
    yield command("compoclip", *train)


def _by_kind(manifest: Mapping[str, Any]) -> Table:
    """made, refused and the gates that refused, kind by kind, the commonest gate first."""
    from rich import box

    refused: dict[str, dict[str, int]] = {}
    for name, count in manifest["refused"].items():
        kind, _, gate = name.rpartition("/")
        refused.setdefault(kind, {})[gate] = count
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    table.add_column("kind")
    table.add_column("made", justify="right")
    table.add_column("refused", justify="right")
    table.add_column("why: the gate, and how often")
    for kind in dict.fromkeys([*manifest["made"], *refused]):
        gates = sorted(refused.get(kind, {}).items(), key=lambda item: -item[1])
        why = ", ".join(f"{gate} {count:,}" for gate, count in gates)
        total = sum(count for _, count in gates)
        table.add_row(kind, f"{manifest['made'].get(kind, 0):,}", f"{total:,}" if total else "", why)
    return table


def _plain(value: Any) -> str:
    """A value of the manifest on one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(inner)}" for key, inner in value.items())
    if isinstance(value, (list, tuple)):
        return "; ".join(_plain(inner) for inner in value)
    return str(value)
