"""Every registered benchmark: a perfect judge gets 100 and its opposite 0, guessing gets chance, and each row is graded
as a slow script grades it that reads the files by itself. A task without a maker and a reader here fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.evaluation.fakes import RandomModel, noise, plain_titles, unit
from tests.evaluation.made import AGAIN, MAKERS, Made
from tests.evaluation.slow import files, means
from tests.evaluation.slow.rows import Part, marks

from compoclip.evaluation import TASKS, evaluate

# Chance of the headline, in percent, from the form of the rows: 1 of k, 1/4 and 1/6 for two by two, 1/3 for triples.
# Where the chances of subsets differ, their mean; None where it depends on how many images there are.
CHANCE: dict[str, float | None] = {
    "world": (4 * 50 + 100 / 6) / 5,
    "sugarcrepe": 50,
    "sugarcrepe_pp": 100 / 3,
    "retrieval": None,
    "zeroshot": (20 + 50 + 100 / 3) / 3,
    "aro": (50 + 50 + 20 + 20) / 4,
    "valse": 50,
    "whatsup": (25 + 25 + 50 * 4) / 6,
    "negbench": 25,
    "crepe": 100 / 6,
    "crepe_systematicity": 100 * (1 / 3 + 1 / 3 + 1 / 5) / 3,
    "conme": 50,
    "vl_checklist": 50,
    "svo_probes": 50,
    "imagecode": 10,
    "spec": 100 * (1 / 3 + 1 / 3 + 1 / 9 + 1 / 4 + 1 / 2 + 1 / 9) / 6,
    "winoground": 100 / 6,
    "colorswap": 100 / 6,
    "eqben": 100 / 6,
    "vismin": 100 / 6,
    "cola": 25,
    "coco_counterfactuals": 100 / 6,
    "mmvp_vlm": 100 / 6,
    "bivlc": 100 / 6,
    "hard_positives": 100 / 3,
    "half_truths": 50,
    "colorfoil": 50,
    "negrefcocog": 50,
    "negbench_more": (25 + 50 + 50) / 3,
    "elevater": (10 + 50 + 100 / 37) / 3,
    "degla_zeroshot": (10 + 100 / 37) / 2,
}
# Judged in files of their own: ImageNet's 80,000 prompts are too many here, and a probe is trained, not asked.
ELSEWHERE = {"imagenet": "test_every_set.py", "linear_probe": "test_probe.py"} | dict.fromkeys(
    ("imagenet_robustness", "vtab", "stl10"), "test_more_sets.py"
)
ELSEWHERE |= dict.fromkeys(("multilingual_retrieval", "long_captions"), "test_published_captions.py")
ELSEWHERE |= {"negbench_retrieval": "test_newer_benchmarks.py"}
PROMPTED = ("zeroshot", "elevater", "degla_zeroshot")  # no captions of their own, and folders miss no file
EACH = pytest.mark.parametrize("task", [task for task in TASKS if task not in ELSEWHERE])


class Oracle(RandomModel):
    """Picture k lies along axis k; a caption along the axes of the pictures that it fits, or, for the opposite of an
    oracle, against them. One axis more keeps captions apart that fit nothing.

    The opposite also puts the two true captions of a SugarCrepe++ row apart, so that reading alone fails as well.
    """

    def __init__(self, made: Made, right: bool) -> None:
        super().__init__(2 + max([made.count, *(n for numbers in made.fits.values() for n in numbers)]))
        self.made, self.right = made, right

    def encode_image(self, images: list[Any], batch_size: int = 64) -> np.ndarray:
        out = np.zeros((len(images), self.width), np.float32)
        out[np.arange(len(images)), [self.made.number(image) for image in images]] = 1
        return out

    def encode_text(self, texts: list[str], batch_size: int = 64) -> np.ndarray:
        out = np.zeros((len(texts), self.width), np.float32)
        for row, text in enumerate(texts):
            out[row, sorted(self.made.fits.get(text, ()))] = 1 if self.right else -1
            out[row, -1] = -1 if text in self.made.second and not self.right else 1
        return unit(out)


class Guess(RandomModel):
    """A feature drawn from each input's content, one for a caption and the same caption again.

    `signs` draws each of 16 numbers from -1/4 and 1/4: their products and sums are exact in any order, so that the
    very many ties are ties in every arithmetic.
    """

    def __init__(self, width: int, signs: bool = False) -> None:
        super().__init__(width)
        self.signs = signs

    def rows(self, keys: list[bytes]) -> np.ndarray:
        drawn = np.stack([noise(key, self.width) for key in keys])
        return np.where(drawn > 0, 0.25, -0.25).astype(np.float32) if self.signs else unit(drawn)

    def encode_image(self, images: list[Any], batch_size: int = 64) -> np.ndarray:
        return self.rows([np.asarray(image).tobytes() for image in images])

    def encode_text(self, texts: list[str], batch_size: int = 64) -> np.ndarray:
        return self.rows([text.removesuffix(AGAIN).encode() for text in texts])


def make(task: str, root: Path, **how: Any) -> Made:
    assert task in MAKERS, f"{task} has no made fixture: write its maker in tests/evaluation/made and list it in MAKERS"
    made = Made(root, **how)
    MAKERS[task](made)
    return made


def measure(model: Any, task: str, made: Made, **kwargs: Any) -> dict[str, Any]:
    found = evaluate(model, task, made.root, limit=made.limit, controls=False, **kwargs)
    return {**found["tasks"][task], "samples": found.get("samples")}


CERTAIN = {"crepe": ("R@10",), "crepe_systematicity": ("R@5", "R@10")}  # no fewer than there are candidates
RATES = ("accuracy", "text", "image", "group", "tot", "R@1", "R@5", "R@10", "pooled", "mean_per_class", "top1")


@EACH
@pytest.mark.parametrize("right", [True, False], ids=["oracle", "opposite"])
def test_perfect_judgement_gets_100_and_its_opposite_0(task: str, right: bool, tmp_path: Path) -> None:
    made = make(task, tmp_path)
    entry = measure(Oracle(made, right), task, made)
    want = 100.0 if right else 0.0
    for name, subset in entry["subsets"].items():
        assert subset["n"] > 0, name
        assert (subset["ties"], subset["missing"]) == (0, 0), name
        rates = [key for key in RATES if key in subset and key not in CERTAIN.get(task, ())]
        assert {key: subset[key] for key in rates} == dict.fromkeys(rates, want)
        assert subset["ci95"] in (None, [want, want]), name
    assert entry["score"] == want
    ordered = ("brittleness", "COR")  # these ask for an order of two true captions, which an oracle takes alike
    assert {value for name, value in entry["scores"].items() if not any(one in name for one in ordered)} == {want}
    assert {value for name, value in entry["scores"].items() if "brittleness" in name} <= {0.0}


@EACH
def test_guessing_gets_chance(task: str, tmp_path: Path) -> None:
    assert task in CHANCE, f"{task} has no chance level here: work it out from the form of its rows"
    rows = {"vl_checklist": 60, "world": 150, "retrieval": 150}.get(task, 300)
    made = make(task, tmp_path, rows=rows, pictures=60)
    entry = measure(Guess(128), task, made)
    if CHANCE[task] is not None:
        assert entry["chance"] == pytest.approx(CHANCE[task])
    figures = [("score", entry["score"], entry["chance"], entry["score_ci95"])]
    for name, subset in entry["subsets"].items():
        if subset["ci95"] is not None:
            figures.append((name, subset["accuracy"], subset["chance"], subset["ci95"]))
        for way, chance in (("text", 25), ("image", 25), ("group", 100 / 6)):
            if way in subset:
                figures.append((f"{name} {way}", subset[way], chance, subset[f"{way}_ci95"]))
    outside = 0
    for name, value, chance, (low, high) in figures:
        assert low <= value <= high, name
        reach = 2 * max(high - low, 1.5)  # four standard errors each way; resampling few hits gives too narrow a band
        assert abs(value - chance) <= reach, (name, value, chance, (low, high))
        outside += not low <= chance <= high
    assert outside <= 1 + 0.2 * len(figures), "too many intervals leave chance out"


def compare(part: Part, slow: list[dict[str, Any]], log: list[dict[str, Any]]) -> None:
    assert len(log) == len(slow), part.name
    for number, (mine, theirs) in enumerate(zip(log, slow)):
        for key in ("correct", "tied", "text", "image", "group", "tot", "cor", "rank", "caption", "label"):
            if key in theirs and key in mine and not (key == "image" and isinstance(mine[key], str)):
                assert mine[key] == theirs[key], (part.name, number, key, mine, theirs)
        if "scores" in theirs:
            np.testing.assert_allclose(mine["scores"], theirs["scores"], atol=1e-6)


@EACH
@pytest.mark.parametrize("signs", [True, False], ids=["many ties", "few ties"])
def test_every_row_and_average_equals_the_slow_script(task: str, signs: bool, tmp_path: Path) -> None:
    made = make(task, tmp_path, trouble=True, pictures=7)
    model = Guess(16, signs=True) if signs else Guess(37)
    entry = measure(model, task, made, log_samples=True)
    assert task == "world" or task in files.READERS, f"{task} has no reader in tests/evaluation/slow/files.py"
    parts = files.world(made.rows) if task == "world" else files.READERS[task](tmp_path)
    figures: dict[str, float] = {}
    counts: dict[str, int] = {}
    for part in parts:
        if signs and len(part.templates) > 1:
            continue  # a mean of templates is rounded, and ties are not exact any more
        slow = marks(part, model)
        for name, value in means.figure(part, slow).items():
            log = [row for row in entry["samples"] if row["subset"] == name]
            own = [row for row in slow if row.get("way") in (None, name.rsplit("/", 1)[-1])]
            compare(part, own, log)
            subset = entry["subsets"][name]
            assert (subset["n"], subset["missing"]) == (len(own), part.missing()), name
            if all("tied" in row for row in own):
                assert subset["ties"] == sum(row["tied"] for row in own), name
            assert subset["accuracy"] == pytest.approx(value, abs=1e-9), name
            figures[name], counts[name] = value, len(own)
    if signs:
        assert sum(subset["ties"] for subset in entry["subsets"].values()) > 0
    if len(figures) == len(entry["subsets"]):
        scores = plain_titles(entry["scores"])
        for name, value in means.OWN.get(task, means.plain)(figures, counts).items():
            assert (scores[name] if name else entry["score"]) == pytest.approx(value, abs=1e-9), name
    else:
        assert signs


@pytest.mark.parametrize("task", [t for t in TASKS if t not in {"world", *PROMPTED, *ELSEWHERE}])
def test_made_trouble_is_there(task: str, tmp_path: Path) -> None:
    """The comparison above is worth something only where the files hold what it claims to cover."""
    made = make(task, tmp_path, trouble=True, pictures=7)
    parts = files.READERS[task](tmp_path)
    assert sum(part.missing() for part in parts) > 0
    rows = [(part.name, *(p.path for p in row.photos), *row.texts) for part in parts for row in part.here()]
    if task not in ("svo_probes", "imagecode", "retrieval"):  # copies are dropped; no list; told by caption instead
        assert len(set(rows)) < len(rows)
    texts = [text for part in parts for row in part.here() for text in row.texts]
    assert max(len(text.split()) for text in texts) > 200
    if task == "retrieval":
        assert {len(row.texts) for row in parts[0].here()} >= {5, 6}
        assert len(set(texts)) < len(texts)
    assert set(made.fits) >= {t for t in texts if not t.endswith(AGAIN)} or task in (
        "mmvp_vlm",
        "retrieval",
        "colorfoil",
    )


@EACH
def test_every_tie_rule_may_be_asked_of_every_task(task: str, tmp_path: Path) -> None:
    """Half counts between strict and first; ranks and squares, which have no half, are strict."""
    made = make(task, tmp_path, rows=8, trouble=True, pictures=7)
    rules = {ties: measure(Guess(16, signs=True), task, made, ties=ties) for ties in ("strict", "half", "first")}
    for name in rules["strict"]["subsets"]:
        low, middle, high = (rules[ties]["subsets"][name]["accuracy"] for ties in ("strict", "half", "first"))
        assert low - 1e-9 <= middle <= high + 1e-9, name
