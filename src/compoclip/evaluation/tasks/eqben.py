"""EqBen: two near-identical images, two captions."""

from __future__ import annotations

from pathlib import PurePosixPath

from compoclip.evaluation.paired import Layout, image_places, loader, places
from compoclip.evaluation.task import Average, Task

ROWS = 251_048
RELEASES = ("image_subset", "eqben_vllm/images")  # where the tenth and the small release keep their images


def averages(counts: dict[str, int]) -> dict[str, Average]:
    """The mean of vl_compo's table; the tenth, the small release and parts of the full set are called what they are."""
    rows = sum(counts.values())
    part = "" if rows == ROWS else f" ({rows:,} of {ROWS:,} rows)"
    return {f"group, Kubric averaged first{part}": Average({n: 1 / 3 if "kubric" in n else 1.0 for n in counts})}


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
    needs="DIR/eqben/eqben.json (the public annotation under that name) with images/, its tenth as "
    "eqben_subset_10percent_final.json with image_subset/, or the small one as eqben_vllm/",
    load=loader(
        Layout(
            "eqben",
            places("eqben", "eqben/eqben_vllm", "eqben_vllm"),
            ("eqben.json", "eqben_subset_10percent_final.json", "all_select.json", "ann_json_finegrained_random.json"),
            image_places("eqben", *(f"{base}{name}" for base in ("eqben/", "") for name in RELEASES)),
            ("image0", "image1", "caption0", "caption1"),
            lambda row: PurePosixPath(str(row["image0"]).replace("\\", "/")).parts[0],
            copied=False,
            instead={".png": ".jpg"},  # the light release
        )
    ),
    averages=averages,
)
