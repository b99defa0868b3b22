"""BiVLC (Miranda et al. 2024): SugarCrepe's pairs, with an image made for each negative caption, both ways."""

from __future__ import annotations

from compoclip.errors import InputError
from compoclip.evaluation.locations import texts
from compoclip.evaluation.pictures import Picture
from compoclip.evaluation.questions import Layout, Question, Row, loader
from compoclip.evaluation.scoring import BOTH_SIDES
from compoclip.evaluation.task import Average, Task, pooled

IMAGES = ("image", "negative_image")
PARTS = {
    "replace_obj": 1_200,
    "replace_rel": 462,
    "replace_att": 437,
    "add_obj": 399,
    "add_att": 76,
    "swap_att": 278,
    "swap_obj": 81,
}
TYPES = ("replace", "swap", "add")
SIDES = {"Ipos to T": "i_pos", "Ineg to T": "i_neg", "Tpos to I": "t_pos", "Tneg to I": "t_neg"}


def ask(where: str, row: Row) -> tuple[str, Question]:
    true, false, kind, part = texts(where, row, "caption", "negative_caption", "type", "subtype")
    images = [row.get(name) for name in IMAGES]
    if not all(isinstance(image, Picture) or (image is None and name in row) for name, image in zip(IMAGES, images)):
        raise InputError(f"{where} needs the images {', '.join(IMAGES)} inside (it has {', '.join(row)})")
    return f"{kind}_{part}", Question(images, (true, false))


def averages(counts: dict[str, int]) -> dict[str, Average]:
    """Rows pooled, as the paper reports: all of them, each type, and each side alone."""
    rules = {"group, all rows": pooled(counts), "I2T": pooled(counts, "text"), "T2I": pooled(counts, "image")}
    for kind in TYPES:
        own = {name: n for name, n in counts.items() if name.startswith(f"{kind}_")}
        if own:
            rules |= {f"{kind}: group": pooled(own), f"{kind}: I2T": pooled(own, "text")}
            rules[f"{kind}: T2I"] = pooled(own, "image")
    return rules | {name: pooled(counts, metric) for name, metric in SIDES.items()}


TASK = Task(
    name="bivlc",
    title="BiVLC: SugarCrepe both ways, with an image for each negative caption",
    rule="strict; rows pooled; score: group (both images find their caption, both captions their image)",
    chance="25 I2T, 25 T2I, 16.7 group, 50 each side",
    citation="Miranda et al., BiVLC: Extending Vision-Language Compositionality Evaluation, NeurIPS 2024",
    data=("bivlc",),
    parts=PARTS,
    version="2",
    load=loader(Layout("bivlc", BOTH_SIDES, ("bivlc",), {}, {}, ask, hub=("bivlc", "BiVLC"))),
    averages=averages,
)
