"""EqBen: two near-identical images, two captions."""

from __future__ import annotations

from pathlib import PurePosixPath

from compoclip.evaluation.paired import Layout, image_places, loader, places
from compoclip.evaluation.task import Average, Task

TASK = Task(
    name="eqben",
    title="EqBen: two near-identical images, two captions",
    source="https://github.com/Wangt-CN/EqBen (public annotation in Winoground's style; full, 10 % and mini)",
    licence="Apache-2.0",
    size="251,048 rows in 7 subsets (full), about 25,000 (10 %)",
    chance="25 text, 25 image, 16.7 group",
    rule="strict; score: mean of the group scores of youcook2, gebc, ag, sd and the mean of the three Kubric subsets",
    citation="Wang et al., Equivariant Similarity for Vision-Language Foundation Models, ICCV 2023",
    version="1",
    needs="DIR/eqben/eqben.json or eqben_subset_10percent_final.json, and the image tree beside it",
    load=loader(
        Layout(
            "eqben",
            places("eqben"),
            ("eqben.json", "eqben_subset_10percent_final.json", "all_select.json"),
            image_places("eqben"),
            ("image0", "image1", "caption0", "caption1"),
            lambda row: PurePosixPath(str(row["image0"]).replace("\\", "/")).parts[0],
            copied=False,
        )
    ),
    averages=lambda counts: {
        "group, Kubric averaged first": Average({n: 1 / 3 if "kubric" in n else 1.0 for n in counts})
    },
)
