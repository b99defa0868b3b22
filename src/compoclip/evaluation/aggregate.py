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


def _of(scores: Scores, benchmark: str, names: Sequence[str], suffix: str = "") -> list[float]:
    return [scores[f"{benchmark}::{name}{suffix}"] for name in names]


def _aro(s: Scores) -> float:
    return mean(_of(s, "aro", ("VG_Relation", "VG_Attribute", "Flickr30k_Order", "COCO_Order")))


def _eqben(s: Scores) -> float:
    kubric = mean(_of(s, "eqben", ("eqbenkubric_loc", "eqbenkubric_cnt", "eqbenkubric_attr"), "::group"))
    return mean([*_of(s, "eqben", ("eqbenyoucook2", "eqbengebc", "eqbenag", "eqbensd"), "::group"), kubric])


def _sugarcrepe(s: Scores) -> float:
    groups = []
    for group in GROUPS:
        names = [n for n in SIZES if n.startswith(group)]
        groups.append(sum(SIZES[n] * s[f"sugarcrepe::{n}"] for n in names) / sum(SIZES[n] for n in names))
    return mean(groups)


def _checklist(s: Scores) -> float:
    leaves = [_of(s, "vl_checklist", names) for names in CHECKLIST]
    return mean([mean(leaves[0] + leaves[1]), mean(leaves[2]), mean(leaves[3])])


def _retrieval(way: str, sets: Sequence[str]) -> Callable[[Scores], float]:
    return lambda s: mean([s[f"{name}::{way}/R@1"] for name in sets])


BENCHMARKS: dict[str, Callable[[Scores], float]] = {
    "aro": _aro,
    "colorswap": lambda s: s["colorswap::group"],
    "crepe": lambda s: mean(_of(s, "crepe", ("atom", "swap", "negate"))),
    "eqben": _eqben,
    "imagecode": lambda s: (1872 * s["imagecode::videos"] + 430 * s["imagecode::static"]) / 2302,
    "mmvp_vlm": lambda s: mean(_of(s, "mmvp_vlm", MMVP, "::group")),
    "sugarcrepe": _sugarcrepe,
    "svo_probes": lambda s: mean(_of(s, "svo_probes", ("subj_neg", "verb_neg", "obj_neg"))),
    "valse": lambda s: mean([mean(_of(s, "valse", piece)) for piece in VALSE_PIECES]),
    "vl_checklist": _checklist,
    "whatsup": lambda s: mean(_of(s, "whatsup", WHATSUP)),
    "winoground": lambda s: s["winoground::group"],
    "spec": lambda s: mean([x for way in ("i2t", "t2i") for x in _of(s, "spec", SPEC, f"::{way}")]),
    "coco_i2t": _retrieval("i2t", ["coco_karpathy"]),
    "coco_t2i": _retrieval("t2i", ["coco_karpathy"]),
    "flickr_i2t": _retrieval("i2t", ["flickr30k"]),
    "flickr_t2i": _retrieval("t2i", ["flickr30k"]),
    "cococf_i2t": _retrieval("i2t", ["coco_counterfactuals"]),
    "cococf_t2i": _retrieval("t2i", ["coco_counterfactuals"]),
    "imagenet": lambda s: s["elevator::imagenet-1k"],
    "21_tasks_avg": lambda s: mean(_of(s, "elevator", ELEVATER)),
}


def _means(scores: Scores, names: Sequence[str]) -> dict[str, float]:
    """Benchmarks whose every subset is there; one given by its own name is taken as it is."""
    out = {}
    for name in names:
        if name in scores:
            out[name] = float(scores[name])
            continue
        try:
            out[name] = float(BENCHMARKS[name](scores))
        except KeyError:
            continue
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
            out["zeroshot_11"] = mean(_of(scores, source, DEGLA_SETS))
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
