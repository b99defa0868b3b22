"""Published averages worked out here from the columns of the reference files, and held against `aggregate` and the
package's own copy of the figures. Nothing expected comes from the code under test."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from compoclip.evaluation import aggregate, published

Row = dict[str, str]
KEY = ("arch", "pretrained", "family")


def table(path: Path) -> list[Row]:
    with open(path, newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def worked_out(row: Row) -> dict[str, float]:
    """vl_compo's columns from one row of its individual results."""

    def of(benchmark: str, *names: str) -> list[float]:
        return [float(row[f"{benchmark}::{name}"]) for name in names]

    def mean(values: list[float]) -> float:
        return sum(values) / len(values)

    def starting(benchmark: str, start: str) -> list[float]:
        return [float(v) for k, v in row.items() if k.startswith(f"{benchmark}::{start}")]

    crepe = {k: float(v) for k, v in row.items() if k.startswith("sugarcrepe::")}
    replace = (
        1652 * crepe["sugarcrepe::replace_obj"]
        + 788 * crepe["sugarcrepe::replace_att"]
        + 1406 * crepe["sugarcrepe::replace_rel"]
    ) / 3846
    swap = (245 * crepe["sugarcrepe::swap_obj"] + 666 * crepe["sugarcrepe::swap_att"]) / 911
    add = (2062 * crepe["sugarcrepe::add_obj"] + 692 * crepe["sugarcrepe::add_att"]) / 2754
    kubric = mean(of("eqben", *(f"eqbenkubric_{k}::group" for k in ("loc", "cnt", "attr"))))
    video = of("eqben", *(f"eqben{k}::group" for k in ("youcook2", "gebc", "ag", "sd")))
    frames, photos = of("imagecode", "videos", "static")
    pieces = [
        *of("valse", "existence", "plurals", "relations", "foil-it"),
        mean(of("valse", "counting-hard", "counting-small-quant", "counting-adversarial")),
        mean(of("valse", "action-replacement", "actant-swap")),
        mean(of("valse", "coreference-standard", "coreference-hard")),
    ]
    groups = [mean(starting("vl_checklist", kind)) for kind in ("Object", "Attribute", "Relation")]
    mmvp = [float(v) for k, v in row.items() if k.startswith("mmvp_vlm::") and k.endswith("::group")]
    sets = starting("elevator", "")
    assert (len(mmvp), len(sets)) == (9, 21)
    assert [len(starting("vl_checklist", kind)) for kind in ("Object", "Attribute", "Relation")] == [6, 5, 2]
    out = {
        "aro": mean(starting("aro", "")),
        "colorswap": of("colorswap", "group")[0],
        "crepe": mean(of("crepe", "atom", "swap", "negate")),
        "eqben": mean([*video, kubric]),
        "imagecode": (1872 * frames + 430 * photos) / 2302,
        "mmvp_vlm": mean(mmvp),
        "sugarcrepe": (replace + swap + add) / 3,
        "svo_probes": mean(starting("svo_probes", "")),
        "valse": mean(pieces),
        "vl_checklist": mean(groups),
        "whatsup": mean(starting("whatsup", "")),
        "winoground": of("winoground", "group")[0],
    }
    out["comp_avg"] = mean(list(out.values()))
    for way in ("i2t", "t2i"):
        both = [of(name, f"{way}/R@1")[0] for name in ("coco_karpathy", "flickr30k")]
        out |= {f"coco_{way}": both[0], f"flickr_{way}": both[1], f"{way}_avg": mean(both)}
    return out | {"imagenet": of("elevator", "imagenet-1k")[0], "21_tasks_avg": mean(sets)}


@pytest.fixture(scope="module")
def pairs(shared: Path) -> list[tuple[Row, Row]]:
    """(individual, averages) of each of the 202 models; the two files spell two families differently."""
    individual = table(shared / "reference" / "vlcompo_individual_results.csv")
    averages = table(shared / "reference" / "vlcompo_results.csv")
    assert len(individual) == len(averages) == 202
    twice = [k for k, n in Counter(tuple(r[c] for c in KEY[:2]) for r in individual).items() if n > 1]
    assert twice == [("CLIP_ViT-B-16", "cc12m")]
    out = []
    for row in averages:
        same = [r for r in individual if all(r[c] == row[c] for c in KEY[:2])]
        out.append(((same if len(same) == 1 else [r for r in same if r["family"] == row["family"]])[0], row))
    assert len({id(a) for a, _ in out}) == 202
    return out


def test_the_formulas_give_every_published_average(pairs: list[tuple[Row, Row]]) -> None:
    """This file's own arithmetic first: were it wrong, the next test would mean nothing."""
    for individual, averages in pairs:
        found = worked_out(individual)
        columns = {k: float(v) for k, v in averages.items() if k and k not in KEY}
        assert set(found) == set(columns)
        for name, value in columns.items():
            assert found[name] == pytest.approx(value, abs=1e-6), (averages["arch"], name)


def test_aggregate_gives_the_same_for_every_model_and_nothing_else(pairs: list[tuple[Row, Row]]) -> None:
    for individual, averages in pairs:
        figures = {k: float(v) for k, v in individual.items() if k and k not in KEY}
        got = aggregate("vl_compo", figures)
        want = worked_out(individual)
        assert set(got) == set(want)
        for name, value in want.items():
            assert got[name] == pytest.approx(value, abs=1e-9)
            assert got[name] == pytest.approx(float(averages[name]), abs=1e-6)


def test_each_subset_bears_on_the_average_that_it_should(pairs: list[tuple[Row, Row]]) -> None:
    """The other way round: one point more on any subset moves the same averages by the same amount as by hand."""
    row = next(r for r, _ in pairs if (r["arch"], r["pretrained"]) == ("ViT-B-32", "openai"))
    figures = {k: float(v) for k, v in row.items() if k and k not in KEY}
    start, by_hand = aggregate("vl_compo", figures), worked_out(row)
    for name in figures:
        more = aggregate("vl_compo", figures | {name: figures[name] + 1})
        hand = worked_out(row | {name: str(figures[name] + 1)})
        for key in start:
            assert more[key] - start[key] == pytest.approx(hand[key] - by_hand[key], abs=1e-9), (name, key)


def test_the_package_holds_the_figures_as_published(shared: Path, pairs: list[tuple[Row, Row]]) -> None:
    held = published.vl_compo()
    for (individual, averages), row in zip(pairs, held, strict=True):
        assert row.individual == {k: float(v) for k, v in individual.items() if k and k not in KEY}
        assert row.averages == {k: float(v) for k, v in averages.items() if k and k not in KEY}
    assert published.read("fscclip_extended_results.csv") == table(
        shared / "reference" / "fscclip_extended_results.csv"
    )


ELEVEN = (
    *("aro", "crepe", "eqben", "imagecode", "sugarcrepe", "svo_probes", "valse", "vl_checklist", "whatsup"),
    *("winoground", "spec"),
)


def test_fsc_clip_twelve_rows(shared: Path) -> None:
    rows = table(shared / "reference" / "fscclip_extended_results.csv")
    assert len(rows) == 12
    for row in rows:
        figures = {name: float(row[name]) for name in ELEVEN}
        assert sum(figures.values()) / 11 == pytest.approx(float(row["Comp"]), abs=1e-10)
        assert aggregate("fsc-clip", figures)["comp_avg"] == pytest.approx(float(row["Comp"]), abs=1e-10)


# DeGLA's tables, typed in from the specification; the average stands last.
ARO = {
    "CLIP": (59.2, 62.9, 48.4, 59.1, 57.4),
    "NegCLIP": (80.4, 70.5, 86.9, 90.5, 82.1),
    "Structure-CLIP": (81.8, 80.5, 81.7, 83.9, 82.0),
    "CE-CLIP": (83.9, 76.4, 80.9, 83.7, 81.2),
    "DeGLA": (81.6, 74.3, 93.8, 94.7, 86.1),
}
VALSE = {
    "CLIP": (68.7, 57.1, 61.0, 65.4, 77.8, 71.8, 54.1, 51.0, 89.8, 65.3),
    "NegCLIP": (76.8, 72.0, 65.2, 72.7, 81.6, 84.8, 58.9, 54.8, 91.8, 71.7),
    "Structure-CLIP": (75.6, 67.1, 62.0, 68.2, 80.4, 88.3, 44.5, 58.7, 91.2, 69.1),
    "CE-CLIP": (78.6, 77.6, 64.3, 74.0, 81.2, 88.5, 54.9, 52.9, 93.7, 72.2),
    "DeGLA": (82.4, 73.8, 68.3, 75.3, 82.6, 88.8, 58.5, 54.8, 93.8, 74.1),
}
ZEROSHOT = {
    "CLIP": (86.5, 61.0, 78.5, 79.6, 58.4, 59.9, 48.8, 38.7, 86.3, 15.3, 57.9, 61.0),
    "NegCLIP": (86.1, 59.9, 72.1, 78.7, 53.9, 56.8, 43.5, 37.7, 84.3, 11.6, 54.0, 58.1),
    "Structure-CLIP": (76.8, 47.4, 55.1, 61.4, 31.3, 48.3, 16.4, 29.4, 71.0, 7.6, 37.3, 43.8),
    "CE-CLIP": (80.5, 54.1, 57.6, 59.0, 30.1, 49.2, 22.8, 27.6, 74.4, 9.1, 38.1, 45.7),
    "DeGLA": (86.5, 59.5, 75.6, 76.0, 52.8, 59.5, 45.7, 38.1, 84.0, 14.1, 54.5, 58.7),
}
# replace obj, att, rel, average; swap obj, att, average (put right where printed otherwise); add obj, att, average
SUGARCREPE = {
    "CLIP": (90.9, 80.0, 69.2, 80.2, 61.4, 64.0, 62.7, 77.2, 68.2, 72.7),
    "NegCLIP": (92.7, 85.9, 76.5, 85.0, 75.2, 75.4, 75.3, 88.8, 82.8, 85.8),
    "Structure-CLIP": (91.4, 85.0, 74.4, 83.6, 72.7, 80.5, 76.6, 85.5, 81.1, 83.3),
    "CE-CLIP": (93.1, 88.8, 79.0, 87.0, 72.8, 77.0, 74.9, 92.4, 93.4, 92.9),
    "DeGLA": (94.5, 92.6, 84.2, 90.5, 81.6, 82.1, 81.9, 93.8, 95.7, 94.8),
}
ORDER = ("replace_obj", "replace_att", "replace_rel", None, "swap_obj", "swap_att", None, "add_obj", "add_att", None)


def printed(name: str) -> dict[str, tuple[float, ...]]:
    return {r["model"]: tuple(float(v) for k, v in r.items() if k != "model" and v) for r in published.read(name)}


def test_the_package_holds_deglas_tables_as_printed() -> None:
    for name, want in (("degla_aro.csv", ARO), ("degla_valse.csv", VALSE), ("degla_zeroshot.csv", ZEROSHOT)):
        held = printed(name)
        assert {model: held[model] for model in want} == want, name
    for model, want in SUGARCREPE.items():
        held = published.degla_sugarcrepe()[model]
        names = [n or f"{ORDER[i - 1].split('_')[0]}_avg" for i, n in enumerate(ORDER)]  # type: ignore[union-attr]
        assert tuple(held[n] for n in names) == want, model


@pytest.mark.parametrize("model", list(ARO))
def test_deglas_averages(model: str) -> None:
    """Cells are rounded to 0.05, so an average may be off by as much again; one is a misprint."""
    keys = ("VG_Relation", "VG_Attribute", "COCO_Order", "Flickr30k_Order")
    got = aggregate("degla", {f"aro::{k}": v for k, v in zip(keys, ARO[model])})
    assert got["aro"] == pytest.approx(sum(ARO[model][:4]) / 4)
    assert got["aro"] == pytest.approx(ARO[model][-1], abs=0.101)
    cells = VALSE[model][:-1]
    names = "existence plurals counting relations action-replacement actant-swap coreference-standard coreference-hard"
    got = aggregate("degla", {f"valse::{k}": v for k, v in zip([*names.split(), "foil-it"], cells)})
    assert got["valse"] == pytest.approx((sum(cells) + 2 * cells[2]) / 11)
    assert got["valse"] == pytest.approx(VALSE[model][-1], abs=0.101)
    names = "cifar10 cifar100 food101 oxford-iiit-pets flower102 sun397 stanfordcar dtd caltech101 fgvc-aircraft-2013b"
    cells = ZEROSHOT[model][:-1]
    got = aggregate("degla", {f"elevator::{k}": v for k, v in zip([*names.split(), "imagenet-1k"], cells)})
    assert got["zeroshot_11"] == pytest.approx(sum(cells) / 11)
    assert got["zeroshot_11"] == pytest.approx(ZEROSHOT[model][-1], abs=0.101)
    row = SUGARCREPE[model]
    got = aggregate("degla", {f"sugarcrepe::{k}": v for k, v in zip(ORDER, row) if k})
    for group, cells, average in (("replace", row[:3], row[3]), ("swap", row[4:6], row[6]), ("add", row[7:9], row[9])):
        assert got[f"sugarcrepe_{group}"] == pytest.approx(sum(cells) / len(cells))
        misprint = (model, group) == ("CLIP", "replace")  # 80.03, printed as 80.2
        assert (abs(got[f"sugarcrepe_{group}"] - average) > 0.101) == misprint
