"""BiVLC (Miranda et al. 2024): SugarCrepe's pairs, with an image made for each negative caption, both ways."""

from __future__ import annotations

from compoclip.data.columnar import ColumnarTable, split_files
from compoclip.errors import InputError
from compoclip.evaluation.scoring import BOTH_SIDES, Grid, Subset
from compoclip.evaluation.task import Average, DataMissing, Loaded, Request, Task, pooled

FOLDERS = ("bivlc", "BiVLC", "data/bivlc")
TYPES = ("replace", "swap", "add")
SIDES = {"Ipos to T": "i_pos", "Ineg to T": "i_neg", "Tpos to I": "t_pos", "Tneg to I": "t_neg"}


def load(request: Request) -> Loaded:
    root = request.root("bivlc")
    places = [root / folder for folder in FOLDERS] + ([root] if root.name.lower() == "bivlc" else [])
    files = next((found for place in places if (found := split_files(place, "test"))), [])
    if not files:
        looked = ", ".join(map(str, places))
        raise DataMissing(f"bivlc: no Parquet file of its test split (data/test-*.parquet); looked in {looked}")
    table = ColumnarTable(files)
    needed = ("image", "negative_image", "caption", "negative_caption", "type", "subtype")
    columns = [table.column(name) for name in needed]
    images, others = (table.pictures(name) for name in columns[:2])
    texts = list(zip(*(table.values(name) for name in columns[2:])))
    if not texts:
        raise InputError(f"{table.where}: no rows")
    groups: dict[str, list[int]] = {}
    for row, values in enumerate(texts):
        if not all(isinstance(v, str) and v for v in values):
            raise InputError(f"{table.where}: row {row} needs the texts {', '.join(needed[2:])}")
        groups.setdefault(f"{values[2]}_{values[3]}", []).append(row)
    subsets: list[Subset] = []
    for name, rows in groups.items():
        pairs = [(a, b, texts[i]) for i in rows if (a := images[i]) is not None and (b := others[i]) is not None]
        kept = request.cut(pairs)
        subsets.append(
            Grid(
                name,
                BOTH_SIDES,
                [(a, b) for a, b, _ in kept],
                [(t[0], t[1]) for _, _, t in kept],
                missing=len(rows) - len(pairs),
                rule=request.ties or "strict",
            )
        )
    return Loaded(subsets, {"files": [str(f) for f in files]})


def averages(counts: dict[str, int]) -> dict[str, Average]:
    """Rows pooled, as the paper reports: all of them, each type, and each side alone."""
    rules = {"group, all rows": pooled(counts), "I2T": pooled(counts, "text"), "T2I": pooled(counts, "image")}
    for kind in TYPES:
        own = {name: n for name, n in counts.items() if name.startswith(f"{kind}_")}
        if own:
            rules[f"{kind}: group"] = pooled(own)
            rules[f"{kind}: I2T"] = pooled(own, "text")
            rules[f"{kind}: T2I"] = pooled(own, "image")
    return rules | {name: pooled(counts, metric) for name, metric in SIDES.items()}


TASK = Task(
    name="bivlc",
    title="BiVLC: SugarCrepe both ways, with an image for each negative caption",
    source="https://huggingface.co/datasets/imirandam/BiVLC",
    licence="MIT",
    size="2,933 rows: replace 2,099, add 475, swap 359",
    chance="25 I2T, 25 T2I, 16.7 group, 50 each side",
    rule="strict; rows pooled; score: group (both images find their caption, both captions their image)",
    citation="Miranda et al., BiVLC: Extending Vision-Language Compositionality Evaluation, NeurIPS 2024",
    version="1",
    needs="DIR/bivlc/data/test-*.parquet with the images inside, as the hub has it",
    load=load,
    averages=averages,
)
