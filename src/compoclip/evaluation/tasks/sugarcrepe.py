"""SugarCrepe (Hsieh et al. 2023): one photo, one true caption, one that a language model made false."""

from __future__ import annotations

from compoclip.evaluation.aggregate import SIZES, SUBSETS
from compoclip.evaluation.locations import photos
from compoclip.evaluation.questions import Layout, loader, one_image
from compoclip.evaluation.scoring import CHOICE
from compoclip.evaluation.task import Average, Task, plain_mean, pooled


def averages(counts: dict[str, int]) -> dict[str, Average]:
    """vl_compo: item-weighted (by the official counts) in replace, swap and add, then the mean of the three."""
    rules = {}
    if set(counts) == set(SIZES):
        rules = {"vl_compo": Average(SUBSETS["sugarcrepe"]), "macro7": plain_mean(counts)}
    rules["micro"] = pooled(counts)
    no_add = {name: n for name, n in counts.items() if not name.startswith("add")}
    return rules | ({"micro_without_add": pooled(no_add)} if no_add else {})


TASK = Task(
    name="sugarcrepe",
    title="SugarCrepe: true caption against a fluent false one",
    rule="strict: a tie is wrong; score: vl_compo (item-weighted replace, swap and add groups, then their mean)",
    chance="50",
    citation="Hsieh et al., SugarCrepe: Fixing Hackable Benchmarks for Vision-Language Compositionality, NeurIPS 2023",
    data=("sugarcrepe",),
    parts=SIZES,
    load=loader(
        Layout(
            "sugarcrepe",
            CHOICE,
            ("sugarcrepe", "sugar-crepe/data"),
            {f"{name}.json": name for name in SIZES},
            {"": photos("sugarcrepe", "coco-val2017")},
            one_image("filename", "caption", "negative_caption"),
        )
    ),
    averages=averages,
)
