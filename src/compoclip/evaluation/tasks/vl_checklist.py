"""VL-CheckList (Zhao et al. 2022): objects, attributes and relations, one word replaced, macro over many sources."""

from __future__ import annotations

from pathlib import Path

from compoclip.errors import InputError
from compoclip.evaluation.captions import Row, subset
from compoclip.evaluation.places import Finder, find_images
from compoclip.evaluation.scoring import Subset
from compoclip.evaluation.task import Average, DataMissing, Loaded, Request, Task
from compoclip.io import read_json

MOST = 1000  # rows of a source that count, after those without an image
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
CORPORA = [(leaf, source, file) for leaf, by in LEAVES.items() for source, files in by.items() for file in files]
# Three folders of photos (IMG_ROOT): swig/, vg/ and hake/, beside the project's own folders or in one of their own.
IMAGES = tuple(
    f"{base}{folder}"
    for base in ("vl_checklist/images/", "vl_checklist/", "VL-CheckList/", "")
    for folder in ("vg", "swig", "swig/images_512", "hake")
)


def read_rows(path: Path) -> list[Row]:
    """`[image path, {"POS": [...], "NEG": [...]}]`, the first of each; [] for the empty files of the release."""
    table = read_json(path)
    out = []
    for number, row in enumerate(table if isinstance(table, list) else ()):
        try:
            image, texts = row
            out.append(Row(str(image), (str(texts["POS"][0]), str(texts["NEG"][0]))))
        except (ValueError, TypeError, KeyError, IndexError):
            raise InputError(f'{path}: row {number} must be [image, {{"POS": [text], "NEG": [text]}}]') from None
    return out


def load(request: Request) -> Loaded:
    root = request.root("vl_checklist")
    places = [root / place for place in ("vl_checklist/data", "VL-CheckList/data", "data", ".")]
    base = next((p for p in places if any((p / file).is_file() for *_, file in CORPORA)), None)
    if base is None:
        looked = ", ".join(map(str, places))
        raise DataMissing(f"vl_checklist: none of its files, such as {CORPORA[0][2]}, found; looked in {looked}")
    tables = {key: read_rows(base / key[2]) for key in CORPORA if (base / key[2]).is_file()}
    wanted = [r.image for rows in tables.values() for r in rows[:50]]
    find = Finder(find_images("vl_checklist", root, ("vl_checklist/images", *IMAGES), wanted, every=True))
    subsets: list[Subset] = [
        subset(f"{leaf}/{source}/{Path(file).stem}", rows, find, request, "strict", MOST)
        for (leaf, source, file), rows in tables.items()
        if rows
    ]
    absent = [f"{file} is not in {base}" for *_, file in CORPORA if not (base / file).is_file()]
    return Loaded(subsets, {"annotations": str(base), "images": find.store.where, "absent": absent})


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
    whole = len(names) == len(CORPORA)
    title = "mean of groups" if whole else f"mean of the groups there ({len(names)} of {len(CORPORA)} corpora)"
    rules = {title: Average(weights)}
    for part in [*groups, *sorted({n.split("/")[0] for n in names})]:
        rules[part] = Average({n: w for n, w in weights.items() if n.startswith(part)})
    return rules


TASK = Task(
    name="vl_checklist",
    title="VL-CheckList: objects, attributes, relations",
    source="https://github.com/om-ai-lab/VL-CheckList (annotations); Visual Genome, SWiG, HAKE (photos)",
    licence="CC BY 4.0 in the README, non-commercial in setup.py",
    size="at most 1,000 rows a corpus; 56 corpora, 13 leaves in 3 groups",
    chance="50",
    rule="strict; score: mean of groups, each the mean of its leaves, each the mean of its sources",
    citation="Zhao et al., An Explainable Toolbox for Evaluating Pre-trained Vision-Language Models, EMNLP 2022",
    version="1",
    needs="DIR/vl_checklist/data/ as in the project's tree; photos in DIR/vg/VG_100K*, DIR/swig and DIR/hake/…",
    load=load,
    averages=averages,
)
