"""How each benchmark's figures are averaged, written out from the published descriptions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.evaluation.slow.rows import Part

Figures = dict[str, float]  # accuracy of each subset, in percent


def mean(values: Any) -> float:
    values = list(values)
    return sum(values) / len(values)


def figure(part: Part, rows: list[dict[str, Any]]) -> Figures:
    """The headline of a subset, or of a retrieval set both ways."""
    if part.form == "retrieval":
        ways = {way: [row["rank"] for row in rows if row["way"] == way] for way in ("i2t", "t2i")}
        return {f"{part.name}/{way}": 100 * mean(rank == 1 for rank in ranks) for way, ranks in ways.items()}
    key = "group" if part.form == "squares" else "correct"
    if part.name == "multi-object":
        key = "image"
    hits = [float(row[key]) for row in rows]
    value = 100 * mean(hits)
    groups = [row.group for row in part.here()]
    if part.metric == "mean_per_class":
        groups = [row.texts[0] for row in part.here()]
    if any(group is not None for group in groups):
        value = mean(100 * mean(h for h, g in zip(hits, groups) if g == one) for one in sorted(set(map(str, groups))))
    if part.metric == "roc_auc":
        value = 100 * area(part, rows)
    return {part.name: value}


def area(part: Part, rows: list[dict[str, Any]]) -> float:
    """Share of (positive, negative) pairs in the right order of the second class's margin, which orders as its
    probability does; a tie counts half."""
    margin = [row["_scores"][1] - row["_scores"][0] for row in rows]
    good = [m for m, row in zip(margin, rows) if row["label"] == part.names[1]]
    bad = [m for m, row in zip(margin, rows) if row["label"] == part.names[0]]
    total = 0.0
    for a in good:
        for b in bad:
            total += 0.5 if abs(a - b) < 1e-9 else float(a > b)
    return total / (len(good) * len(bad))


def plain(figures: Figures, rows: dict[str, int]) -> dict[str, float]:
    return {"": mean(figures.values())}


def sugarcrepe(figures: Figures, rows: dict[str, int]) -> dict[str, float]:
    f = figures
    replace = (1652 * f["replace_obj"] + 788 * f["replace_att"] + 1406 * f["replace_rel"]) / (1652 + 788 + 1406)
    swap = (245 * f["swap_obj"] + 666 * f["swap_att"]) / (245 + 666)
    add = (2062 * f["add_obj"] + 692 * f["add_att"]) / (2062 + 692)
    without = {k: v for k, v in rows.items() if not k.startswith("add")}
    return {
        "": (replace + swap + add) / 3,
        "macro7": mean(f.values()),
        "micro": sum(rows[k] * f[k] for k in f) / sum(rows.values()),
        "micro_without_add": sum(rows[k] * f[k] for k in without) / sum(without.values()),
    }


def sugarcrepe_pp(figures: Figures, rows: dict[str, int]) -> dict[str, float]:
    return {"": mean(figures.values()), "micro": sum(rows[k] * figures[k] for k in rows) / sum(rows.values())}


def valse(figures: Figures, rows: dict[str, int]) -> dict[str, float]:
    f = figures
    pieces = [
        f["existence"],
        f["plurals"],
        (f["counting-hard"] + f["counting-small-quant"] + f["counting-adversarial"]) / 3,
        f["relations"],
        (f["action-replacement"] + f["actant-swap"]) / 2,
        (f["coreference-standard"] + f["coreference-hard"]) / 2,
        f["foil-it"],
    ]
    return {"": sum(pieces) / 7, "mean of 11": sum(f.values()) / 11}


def aro(figures: Figures, rows: dict[str, int]) -> dict[str, float]:
    f = figures
    grounded, order = f["VG_Relation"] + f["VG_Attribute"], f["COCO_Order"] + f["Flickr30k_Order"]
    return {"": (grounded + order) / 4, "image-grounded (VG)": grounded / 2, "word order": order / 2}


def eqben(figures: Figures, rows: dict[str, int]) -> dict[str, float]:
    f = figures
    kubric = (f["eqbenkubric_loc"] + f["eqbenkubric_cnt"] + f["eqbenkubric_attr"]) / 3
    return {"": (f["eqbenyoucook2"] + f["eqbengebc"] + f["eqbenag"] + f["eqbensd"] + kubric) / 5}


def imagecode(figures: Figures, rows: dict[str, int]) -> dict[str, float]:
    return {"": sum(rows[k] * figures[k] for k in figures) / sum(rows.values())}


def spec(figures: Figures, rows: dict[str, int]) -> dict[str, float]:
    ways = {way: mean(v for k, v in figures.items() if k.endswith(way)) for way in ("i2t", "t2i")}
    return {"": (ways["i2t"] + ways["t2i"]) / 2, **ways}


def vl_checklist(figures: Figures, rows: dict[str, int]) -> dict[str, float]:
    tree: dict[str, dict[str, dict[str, list[float]]]] = {}
    for name, value in figures.items():
        leaf, source, _ = name.split("/")
        tree.setdefault(leaf.split("_")[0], {}).setdefault(leaf, {}).setdefault(source, []).append(value)
    leaves = {leaf: mean(mean(files) for files in by.values()) for group in tree.values() for leaf, by in group.items()}
    groups = {group: mean(leaves[leaf] for leaf in tree[group]) for group in tree}
    return {"": mean(groups.values()), **groups, **leaves}


def retrieval(figures: Figures, rows: dict[str, int]) -> dict[str, float]:
    ways = {way: mean(v for k, v in figures.items() if k.endswith(way)) for way in ("i2t", "t2i")}
    return {"": (ways["i2t"] + ways["t2i"]) / 2, **ways}


def world(figures: Figures, rows: dict[str, int]) -> dict[str, float]:
    return {
        "": mean(figures[k] for k in ("swap-attribute", "swap-object", "replace-relation", "count", "half-truths")),
        "text alone can do it": (figures["word-order"] + figures["add-attribute"]) / 2,
        "a bag of words can do it": (figures["replace-attribute"] + figures["replace-object"]) / 2,
        "zeroshot": mean(v for k, v in figures.items() if k.startswith("zeroshot/")),
        "i2t": figures["retrieval/i2t"],
        "t2i": figures["retrieval/t2i"],
    }


def bivlc(figures: Figures, rows: dict[str, int]) -> dict[str, float]:
    out = {"": sum(rows[k] * figures[k] for k in figures) / sum(rows.values())}
    for kind in ("replace", "swap", "add"):
        own = [k for k in figures if k.startswith(kind)]
        out[f"{kind}: group"] = sum(rows[k] * figures[k] for k in own) / sum(rows[k] for k in own)
    return out


def hard_positives(figures: Figures, rows: dict[str, int]) -> dict[str, float]:
    replace = (figures["replace_att"] + figures["replace_rel"]) / 2
    out = {"SWAP augmented": figures["swap"], "REPLACE augmented": replace}
    return {"": (figures["swap"] + replace) / 2, **out}


OWN: dict[str, Callable[[Figures, dict[str, int]], dict[str, float]]] = {
    rule.__name__: rule
    for rule in (
        *(sugarcrepe, sugarcrepe_pp, valse, aro, eqben, imagecode, spec, vl_checklist, retrieval, world, bivlc),
        hard_positives,
    )
}
