"""SugarCrepe++ (Dumpala et al. 2024): two captions that say the same and one that does not."""

from __future__ import annotations

from compoclip.evaluation.locations import photos
from compoclip.evaluation.questions import Layout, loader, one_image
from compoclip.evaluation.scoring import TWO_TRUE
from compoclip.evaluation.task import Task, plain_mean, pooled

PARTS = {"replace_att": 788, "replace_obj": 1652, "replace_rel": 1406, "swap_att": 666, "swap_obj": 245}

TASK = Task(
    name="sugarcrepe_pp",
    title="SugarCrepe++: both true captions above the false one (ITT), and with the text alone (TOT)",
    rule="strict; score: mean of the subsets' ITT",
    chance="33.3",
    citation="Dumpala et al., SugarCrepe++: Sensitivity to Semantic and Lexical Alterations, NeurIPS 2024",
    data=("sugarcrepe-pp",),
    parts=PARTS,
    load=loader(
        Layout(
            "sugarcrepe_pp",
            TWO_TRUE,
            ("sugarcrepe_pp", "scpp/data"),
            {f"{name}.json": name for name in PARTS},
            {"": (*photos("sugarcrepe_pp", "coco-val2017"), "sugarcrepe/images")},
            one_image("filename", "caption", "caption2", "negative_caption"),
        )
    ),
    averages=lambda counts: {
        "mean of subsets": plain_mean(counts),
        "micro": pooled(counts),
        "TOT, mean of subsets": plain_mean(counts, "tot"),
    },
)
