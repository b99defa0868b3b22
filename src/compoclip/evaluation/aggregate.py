"""Averages of published tables, exactly: vl_compo, FSC-CLIP and DeGLA average the same subsets in different ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from compoclip.errors import InputError

Scores = Mapping[str, float]

SIZES = {
    "replace_obj": 1652,
    "replace_att": 788,
    "replace_rel": 1406,
    "swap_obj": 245,
    "swap_att": 666,
    "add_obj": 2062,
    "add_att": 692,
}  # rows of SugarCrepe's subsets
GROUPS = ("replace", "swap", "add")

MMVP = (
    "Orientation and Direction",
    "Presence of Specific Features",
    "State and Condition",
    "Quantity and Count",
    "Positional and Relational Context",
    "Color and Appearance",
    "Structural Characteristics",
    "Texts",
    "Viewpoint and Perspective",
)
VALSE_PIECES: tuple[tuple[str, ...], ...] = (
    ("existence",),
    ("plurals",),
    ("counting-hard", "counting-small-quant", "counting-adversarial"),
    ("relations",),
    ("action-replacement", "actant-swap"),
    ("coreference-standard", "coreference-hard"),
    ("foil-it",),
)
CHECKLIST = (
    tuple(f"Object_{a}" for a in ("Location_center", "Location_margin", "Location_mid")),
    tuple(f"Object_Size_{a}" for a in ("large", "medium", "small")),
    tuple(f"Attribute_{a}" for a in ("action", "color", "material", "size", "state")),
    tuple(f"Relation_{a}" for a in ("action", "spatial")),
)
ELEVATER = (
    "caltech101",
    "cifar10",
    "cifar100",
    "country211",
    "dtd",
    "eurosat-clip",
    "fer2013",
    "fgvc-aircraft-2013b",
    "flower102",
    "food101",
    "gtsrb",
    "hateful-memes",
    "imagenet-1k",
    "kitti-distance",
    "mnist",
    "oxford-iiit-pets",
    "patchcamelyon",
    "rendered-sst2",
    "resisc45-clip",
    "stanfordcar",
    "voc2007classification",
)
DEGLA_TASK = "degla_zeroshot"  # the task that measures the same sets by plain accuracy, as DeGLA prints them
DEGLA_SETS = [
    "cifar10",
    "cifar100",
    "food101",
    "oxford-iiit-pets",
    "flower102",
    "sun397",
    "stanfordcar",
    "dtd",
    "caltech101",
    "fgvc-aircraft-2013b",
    "imagenet-1k",
]
WHATSUP = ("WhatsUp_A", "WhatsUp_B", "COCO_QA_ONE", "COCO_QA_TWO", "VG_QA_ONE", "VG_QA_TWO")
SPEC = ("absolute_size", "relative_size", "absolute_spatial", "relative_spatial", "existence", "count")
VL_COMPO = [
    "aro",
    "colorswap",
    "crepe",
    "eqben",
    "imagecode",
    "mmvp_vlm",
    "sugarcrepe",
    "svo_probes",
    "valse",
    "vl_checklist",
    "whatsup",
    "winoground",
]
FSC_CLIP = [
    "aro",
    "crepe",
    "eqben",
    "imagecode",
    "sugarcrepe",
    "svo_probes",
    "valse",
    "vl_checklist",
    "whatsup",
    "winoground",
    "spec",
]


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


Weights = dict[str, float]


def _evenly(parts: Sequence[str | Weights]) -> Weights:
    """Equal shares of columns, or of parts that are averages themselves."""
    out: Weights = {}
    for part in parts:
        for name, share in ({part: 1.0} if isinstance(part, str) else part).items():
            out[name] = out.get(name, 0.0) + share / len(parts)
    return out


def _by_rows(sizes: Mapping[str, int]) -> Weights:
    return {name: n / sum(sizes.values()) for name, n in sizes.items()}


KUBRIC = ("eqbenkubric_loc", "eqbenkubric_cnt", "eqbenkubric_attr")
# The subsets of each benchmark and their shares of its average, as vl_compo and FSC-CLIP weigh them.
SUBSETS: dict[str, Weights] = {
    "aro": _evenly(["VG_Relation", "VG_Attribute", "Flickr30k_Order", "COCO_Order"]),
    "crepe": _evenly(["atom", "swap", "negate"]),
    "eqben": _evenly(["eqbenyoucook2", "eqbengebc", "eqbenag", "eqbensd", _evenly(KUBRIC)]),
    "imagecode": _by_rows({"videos": 1872, "static": 430}),
    "mmvp_vlm": _evenly(MMVP),
    "sugarcrepe": _evenly([_by_rows({n: k for n, k in SIZES.items() if n.startswith(g)}) for g in GROUPS]),
    "svo_probes": _evenly(["subj_neg", "verb_neg", "obj_neg"]),
    "valse": _evenly([_evenly(piece) for piece in VALSE_PIECES]),
    "vl_checklist": _evenly([_evenly(CHECKLIST[0] + CHECKLIST[1]), _evenly(CHECKLIST[2]), _evenly(CHECKLIST[3])]),
    "whatsup": _evenly(WHATSUP),
    "spec": _evenly([f"{name}::{way}" for way in ("i2t", "t2i") for name in SPEC]),
}
GROUP_SCORES = ("eqben", "mmvp_vlm")  # whose columns end in ::group


def _columns() -> dict[str, Weights]:
    """Every benchmark's average as weights of the columns of the published tables."""
    out = {
        name: {f"{name}::{part}" + "::group" * (name in GROUP_SCORES): share for part, share in parts.items()}
        for name, parts in SUBSETS.items()
    }
    out |= {name: {f"{name}::group": 1.0} for name in ("colorswap", "winoground")}
    sets = {"coco": "coco_karpathy", "flickr": "flickr30k", "cococf": "coco_counterfactuals"}
    out |= {f"{s}_{way}": {f"{name}::{way}/R@1": 1.0} for s, name in sets.items() for way in ("i2t", "t2i")}
    out["imagenet"] = {"elevator::imagenet-1k": 1.0}
    out["21_tasks_avg"] = _evenly([f"elevator::{name}" for name in ELEVATER])
    return out


BENCHMARKS = _columns()


def _means(scores: Scores, names: Sequence[str]) -> dict[str, float]:
    """Benchmarks whose every subset is there; one given by its own name is taken as it is."""
    out = {}
    for name in names:
        if name in scores:
            out[name] = float(scores[name])
            continue
        weights = BENCHMARKS[name]
        if all(column in scores for column in weights):
            out[name] = float(sum(share * scores[column] for column, share in weights.items()))
    return out


def _over(out: dict[str, float], key: str, names: Sequence[str]) -> None:
    if all(name in out for name in names):
        out[key] = mean([out[name] for name in names])


def _vl_compo(scores: Scores) -> dict[str, float]:
    retrieval = ["coco_i2t", "coco_t2i", "flickr_i2t", "flickr_t2i"]
    out = _means(scores, [*VL_COMPO, *retrieval, "imagenet", "21_tasks_avg"])
    _over(out, "comp_avg", VL_COMPO)
    _over(out, "i2t_avg", ["coco_i2t", "flickr_i2t"])
    _over(out, "t2i_avg", ["coco_t2i", "flickr_t2i"])
    return out


def _fsc_clip(scores: Scores) -> dict[str, float]:
    sets = ("coco", "flickr", "cococf")
    ways = {way: [f"{name}_{way}" for name in sets] for way in ("i2t", "t2i")}
    out = _means(scores, [*FSC_CLIP, *ways["i2t"], *ways["t2i"], "imagenet", "21_tasks_avg"])
    _over(out, "comp_avg", FSC_CLIP)
    for way, names in ways.items():
        _over(out, f"{way}_avg", names)
    return out


def _degla(scores: Scores) -> dict[str, float]:
    out = _means(scores, ["aro"])
    for group in GROUPS:
        names = [f"sugarcrepe::{n}" for n in SIZES if n.startswith(group)]
        if all(n in scores for n in names):
            out[f"sugarcrepe_{group}"] = mean([scores[n] for n in names])
    pieces = []
    for piece in VALSE_PIECES:
        names = [f"valse::{n}" for n in piece]
        if len(piece) == 3 and "valse::counting" in scores:
            pieces += [scores["valse::counting"]] * 3  # the printed cell is the mean of the three instruments
        else:
            pieces += [scores[n] for n in names if n in scores]
    if len(pieces) == 11:
        out["valse"] = mean(pieces)
    for source in (DEGLA_TASK, "elevator"):
        if "zeroshot_11" not in out and all(f"{source}::{n}" in scores for n in DEGLA_SETS):
            out["zeroshot_11"] = mean([scores[f"{source}::{n}"] for n in DEGLA_SETS])
    return out


RULES: dict[str, Callable[[Scores], dict[str, float]]] = {
    "vl_compo": _vl_compo,
    "fsc-clip": _fsc_clip,
    "degla": _degla,
}


def aggregate(rule: str, individual: Scores) -> dict[str, float]:
    """Benchmark averages of figures by subset, all in percent.

    - "vl_compo" (github.com/ytaek-oh/vl_compo): twelve benchmarks, `comp_avg` their plain mean, retrieval over COCO
      and Flickr30k, `21_tasks_avg`; keys as the columns of its two result files.
    - "fsc-clip": eleven benchmarks (SPEC in, ColorSwap and MMVP out), retrieval over COCO, Flickr30k and
      COCO-Counterfactuals (keys `spec::NAME::i2t|t2i`, `coco_counterfactuals::i2t/R@1`).
    - "degla": `aro`, `sugarcrepe_replace|swap|add` (unweighted), `valse` (mean of 11 instruments), `zeroshot_11`.

    A benchmark given by its own name (`"aro": 57.6`) is taken as it is; one with a subset missing is left out, and
    so is an average over it. Raises InputError for an unknown rule, and where nothing could be averaged.
    """
    if rule not in RULES:
        raise InputError(f"averaging rule {rule!r} is unknown; choose one of {', '.join(RULES)}")
    out = RULES[rule](individual)
    if not out:
        raise InputError(f"no benchmark of rule {rule!r} has all its subsets among the {len(individual)} figures given")
    return out
