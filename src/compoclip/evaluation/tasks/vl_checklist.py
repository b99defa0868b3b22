"""VL-CheckList (Zhao et al. 2022): objects, attributes and relations, one word replaced, macro over many sources."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from compoclip.errors import InputError
from compoclip.evaluation.benchmark import benchmark
from compoclip.evaluation.questions import Row
from compoclip.evaluation.task import Average
from compoclip.io import read_json

SWIG = ("agent", "destination", "item", "tool")


def _objects(kind: str, leaf: str) -> dict[str, list[str]]:
    """Sources of one leaf of Object: names of files; swig has four, vg two."""
    place = f"Object/{kind}/{{}}_{kind.lower()}"
    return {
        "hake": [f"{place.format('hake')}/hake_obj_{leaf}.json"],
        "swig": [f"{place.format('swig')}/swig_{part}/swig_{part}_{leaf}.json" for part in SWIG],
        "vg": [f"{place.format('vg')}/vg_{part}_{leaf}.json" for part in ("obj", "subj")],
    }


# The 56 corpora of the project's corpus/v1, by the files that their ANNO_PATH names.
LEAVES: dict[str, dict[str, list[str]]] = {
    **{f"Object_Location_{leaf}": _objects("Location", leaf) for leaf in ("center", "mid", "margin")},
    **{f"Object_Size_{leaf}": _objects("Size", leaf) for leaf in ("large", "medium", "small")},
    **{
        f"Attribute_{leaf}": {"vg": [f"Attribute/vg/{leaf}.json"], "vaw": [f"Attribute/vaw/{leaf}.json"]}
        for leaf in ("action", "color", "material", "size", "state")
    },
    "Relation_action": {
        "hake": ["Relation/hake_action.json"],
        "swig": ["Relation/swig_action.json"],
        "vg": ["Relation/vg/action.json"],
    },
    "Relation_spatial": {"vg": ["Relation/vg/spatial.json"]},
}
FILES = {
    file: f"{leaf}/{source}/{Path(file).stem}"
    for leaf, by in LEAVES.items()
    for source, files in by.items()
    for file in files
}
# Three folders of photos (IMG_ROOT): swig/, vg/ and hake/, beside the project's own folders or in one of their own.
IMAGES = tuple(
    f"{base}{folder}"
    for base in ("vl_checklist/images/", "vl_checklist/", "VL-CheckList/", "")
    for folder in ("vg", "swig", "swig/images_512", "hake")
)


def rows(path: Path) -> Iterator[tuple[str, Row]]:
    """`[image path, {"POS": [...], "NEG": [...]}]`, the first of each; none in the empty files of the release."""
    table = read_json(path)
    for number, row in enumerate(table if isinstance(table, list) else ()):
        try:
            image, texts = row
            yield f"{path}: row {number}", {"image": image, "true": texts["POS"][0], "false": texts["NEG"][0]}
        except (ValueError, TypeError, KeyError, IndexError):
            raise InputError(f'{path}: row {number} must be [image, {{"POS": [text], "NEG": [text]}}]') from None


def averages(counts: dict[str, int]) -> dict[str, Average]:
    """Mean of three groups; a group is the mean of its leaves, a leaf of its sources, a source of its files."""
    names = [n for n in counts if counts[n]]
    groups = sorted({n.split("_")[0] for n in names})
    weights: dict[str, float] = {}
    for group in groups:
        leaves = sorted({n.split("/")[0] for n in names if n.startswith(group)})
        for leaf in leaves:
            sources = sorted({n.split("/")[1] for n in names if n.startswith(leaf + "/")})
            for source in sources:
                own = [n for n in names if n.startswith(f"{leaf}/{source}/")]
                for n in own:
                    weights[n] = 1.0 / (len(groups) * len(leaves) * len(sources) * len(own))
    rules = {"mean of groups": Average(weights)}
    for part in [*groups, *sorted({n.split("/")[0] for n in names})]:
        rules[part] = Average({n: w for n, w in weights.items() if n.startswith(part)})
    return rules


TASK = benchmark(
    "vl_checklist",
    parts=dict.fromkeys(FILES.values(), 0),
    files=FILES,
    images=("vl_checklist/images", *IMAGES),
    rows=rows,
    averages=averages,
)
