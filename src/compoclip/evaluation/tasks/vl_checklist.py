"""VL-CheckList (Zhao et al. 2022): objects, attributes and relations, one word replaced, macro over many sources."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from compoclip.errors import InputError
from compoclip.evaluation.captions import Row, subset
from compoclip.evaluation.forms import Subset
from compoclip.evaluation.places import Finder, find_images
from compoclip.evaluation.task import Average, DataMissing, Loaded, Request, Task
from compoclip.io import read_json

MOST = 1000  # rows of a source that count, after those without an image
SWIG = ("agent", "destination", "item", "tool")


def _objects(kind: str, leaf: str) -> dict[str, list[str]]:
    """Sources of one leaf of Object: names of files; swig has four, vg two."""
    folder = f"Object/{kind}"
    return {
        "hake": [f"{folder}/hake_obj_{leaf}.json"],
        "swig": [f"{folder}/swig_{part}_{leaf}.json" for part in SWIG],
        "vg": [f"{folder}/vg_{part}_{leaf}.json" for part in ("obj", "subj")],
    }


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
        "vg": ["Relation/vg_action.json"],
    },
    "Relation_spatial": {"vg": ["Relation/vg_spatial.json"]},
}


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


def _files(base: Path) -> Iterator[tuple[str, str, str, Path]]:
    for leaf, sources in LEAVES.items():
        for source, files in sources.items():
            for file in files:
                if (base / file).is_file():
                    yield leaf, source, file, base / file


def load(request: Request) -> Loaded:
    root = request.root("vl_checklist")
    places = (root / "vl_checklist" / "data", root / "vl_checklist", root / "VL-CheckList" / "data")
    base = next((p for p in places if p.is_dir()), root)
    tables = {(leaf, source, Path(file).stem): read_rows(path) for leaf, source, file, path in _files(base)}
    tables = {key: rows for key, rows in tables.items() if rows}
    if not tables:
        raise DataMissing(f"vl_checklist: no Object/Location/*.json, Attribute/*/*.json or Relation/*.json in {base}")
    wanted = [r.image for rows in tables.values() for r in rows[:50]]
    stems = ("vl_checklist/images", "vl_checklist", "images")
    find = Finder(find_images("vl_checklist", root, stems, wanted))
    subsets: list[Subset] = [
        subset(f"{leaf}/{source}/{file}", rows, find, request, "strict", MOST)
        for (leaf, source, file), rows in tables.items()
    ]
    return Loaded(subsets, {"annotations": str(base), "images": find.store.where})


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


TASK = Task(
    name="vl_checklist",
    title="VL-CheckList: objects, attributes, relations",
    source="https://github.com/om-ai-lab/VL-CheckList (annotations); Visual Genome, SWiG, HAKE (photos)",
    licence="CC BY 4.0 in the README, non-commercial in setup.py",
    size="at most 1,000 rows a source, 13 leaves in 3 groups",
    chance="50",
    rule="strict; score: mean of groups, each the mean of its leaves, each the mean of its sources",
    citation="Zhao et al., An Explainable Toolbox for Evaluating Pre-trained Vision-Language Models, EMNLP 2022",
    version="1",
    needs="DIR/vl_checklist/data/{Object,Attribute,Relation}/…/*.json and the image tree in DIR/vl_checklist/images",
    load=load,
    averages=averages,
)
