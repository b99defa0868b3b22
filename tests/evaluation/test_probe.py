"""The linear probe against a Newton method of our own, and as a task in every layout."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from tests.evaluation.fakes import RandomModel, picture, png, unit, write, write_tar

from compoclip.errors import InputError
from compoclip.evaluation import TASKS, evaluate, individual, probe
from compoclip.evaluation.aggregate import DEGLA_SETS
from compoclip.evaluation.task import DataMissing


def newton(x: np.ndarray, labels: np.ndarray, classes: int, c: float) -> tuple[np.ndarray, np.ndarray]:
    """Minimise c * cross-entropy + |W|^2 / 2 in float64 with the full Hessian, written out element by element."""
    n, d = x.shape
    extended = np.hstack([x, np.ones((n, 1))])
    penalty = np.diag(np.tile([1.0] * d + [0.0], classes))
    theta = np.zeros(classes * (d + 1))
    for _ in range(60):
        scores = extended @ theta.reshape(classes, d + 1).T
        p = np.exp(scores - scores.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        gradient, hessian = penalty @ theta, penalty.copy()
        for i in range(n):
            for a in range(classes):
                rows = slice(a * (d + 1), (a + 1) * (d + 1))
                gradient[rows] += c * (p[i, a] - (labels[i] == a)) * extended[i]
                for b in range(classes):
                    columns = slice(b * (d + 1), (b + 1) * (d + 1))
                    curve = p[i, a] * ((a == b) - p[i, b])
                    hessian[rows, columns] += c * curve * np.outer(extended[i], extended[i])
        step = np.linalg.lstsq(hessian, gradient, rcond=None)[0]
        theta = theta - step
        if np.abs(step).max() < 1e-12:
            break
    full = theta.reshape(classes, d + 1)
    return full[:, :d], full[:, d] - full[:, d].mean()


def clouds(n: int, d: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    return unit(rng.normal(size=(classes, d))[labels] + rng.normal(size=(n, d))), labels


@pytest.mark.parametrize("c", [0.01, 1.0, 30.0])
def test_weights_equal_an_independent_newton_method(c: float) -> None:
    x, labels = clouds(45, 4, 3, 0)
    weights, bias = newton(x.astype(np.float64), labels, 3, c)
    got = probe.fit(x, labels, 3, c, tolerance=1e-10)
    assert got.converged
    np.testing.assert_allclose(got.weights, weights, atol=2e-4)
    np.testing.assert_allclose(got.bias - got.bias.mean(), bias, atol=2e-4)
    usual = probe.fit(x, labels, 3, c)
    assert (usual.scores(x).argmax(1) == (x @ weights.T + bias).argmax(1)).mean() > 0.97


def test_two_classes_are_ranked_as_by_newton() -> None:
    """Of two classes scikit-learn keeps one row, w. Two rows w/2 and -w/2 are penalised half as much as it, so the form
    with two rows has the same minimum at half the strength."""
    x, labels = clouds(40, 3, 2, 1)
    weights, bias = newton(x.astype(np.float64), labels, 2, 1.0)
    got = probe.fit(x, labels, 2, 2.0, tolerance=1e-10)
    np.testing.assert_allclose(got.weights[1] - got.weights[0], weights[1] - weights[0], atol=2e-4)
    assert got.bias[1] - got.bias[0] == pytest.approx(bias[1] - bias[0], abs=2e-4)


def test_classes_never_seen_are_never_chosen() -> None:
    x, labels = clouds(30, 4, 3, 2)
    got = probe.fit(x, labels + 2, 7, 1.0)
    assert set(got.scores(x).argmax(1).tolist()) <= {2, 3, 4}
    assert np.isneginf(got.scores(x)[:, 6]).all()
    pair = probe.fit(x, labels % 2 * 3, 7, 1.0)
    assert set(pair.scores(x).argmax(1).tolist()) <= {0, 3}
    with pytest.raises(InputError, match="two classes or more"):
        probe.fit(x, np.zeros(30, int), 2, 1.0)


@pytest.mark.parametrize("peak", [0, 1, 13, 48, 63, 95, 96])
def test_the_sweep_finds_the_peak_with_few_fits(peak: int) -> None:
    asked: list[int] = []

    def score(step: int) -> float:
        asked.append(step)
        return -abs(step - peak)

    best, tried = probe.search(score)
    assert best == peak
    assert len(asked) == len(set(asked)) == len(tried) <= 15
    assert probe.strength(0) == pytest.approx(1e-6)
    assert probe.strength(96) == pytest.approx(1e6)
    assert probe.strength(49) / probe.strength(48) == pytest.approx(10 ** (1 / 8))


def test_of_equal_strengths_the_strongest_regularisation_wins() -> None:
    assert probe.search(lambda step: 1.0)[0] == 0
    assert probe.search(lambda step: float(step >= 40))[0] == 40


def test_training_chooses_as_an_exhaustive_sweep_would_and_fits_on_all_rows() -> None:
    x, labels = clouds(80, 6, 4, 3)
    held = probe.hold_out(labels)
    assert held.sum() == 16
    assert all(held[labels == k].sum() == 4 for k in range(4))
    found = probe.train(x, labels, held, 4, "accuracy")
    every = []
    for step in range(0, 97, 8):
        one = probe.fit(x[~held], labels[~held], 4, probe.strength(step))
        every.append(np.mean(one.scores(x[held]).argmax(1) == labels[held]))
    assert found.validation >= max(every) - 1e-12
    np.testing.assert_array_equal(found.probe.weights, probe.fit(x, labels, 4, found.c).weights)


def test_metrics_by_hand() -> None:
    scores = np.array([[3.0, 1], [2, 1], [0, 1], [2, 0]])
    labels = np.array([0, 0, 0, 1])
    assert probe.measure(scores, labels, "accuracy") == 0.5
    assert probe.measure(scores, labels, "mean_per_class") == pytest.approx(1 / 3)
    assert probe.measure(scores, labels, "roc_auc") == pytest.approx(0.5 / 3)  # -2 against -2, -1, 1
    several = np.array([[True, False], [False, False], [True, False]])
    # class 0 ranked: row 0 (right), row 1, row 2 (right): precision 1 to recall 1/2, then 2/3; class 1 has no image
    assert probe.measure(np.array([[3.0, 0], [2, 0], [1, 0]]), several, "map11") == pytest.approx((6 + 5 * 2 / 3) / 11)
    with pytest.raises(InputError, match="two classes"):
        probe.measure(np.zeros((2, 3)), np.array([0, 1]), "roc_auc")


class Noisy(RandomModel):
    """A picture's red is its class: the feature is that class's direction and some of the picture's own noise."""

    def __init__(self, noise: float = 0.6) -> None:
        super().__init__(16)
        self.noise = noise

    def encode_image(self, images: list[Image.Image], batch_size: int = 64) -> np.ndarray:
        axes = np.stack([np.eye(16)[image.getpixel((0, 0))[0] % 16] for image in images])
        return unit(axes + self.noise * super().encode_image(images))


def members(classes: list[str], start: int, count: int) -> dict[str, bytes]:
    return {f"{c}/{i}.png": png(picture(k, i, 7)) for k, c in enumerate(classes) for i in range(start, start + count)}


def lay(root: Path, kind: str, classes: list[str]) -> None:
    for split, start, count in (("train", 0, 10), ("val", 20, 3), ("test", 30, 6)):
        found = members(classes, start, count)
        if kind == "folders":
            for name, data in found.items():
                write(root / split / name, data)
        elif kind == "tars of folders":
            write_tar(root / f"{split}.tar", found)
        elif kind == "webdataset":
            places = {c: str(k).encode() for k, c in enumerate(classes)}
            shard = {}
            for i, (name, data) in enumerate(found.items()):
                shard |= {f"s{i}.png": data, f"s{i}.cls": places[name.split("/")[0]]}
            write_tar(root / split / "0.tar", shard)
            write(root / split / "nshards.txt", "1")
            write(root / "classnames.txt", "\n".join(classes))
        else:
            rows = {"image": [{"bytes": d} for d in found.values()], "label": [n.split("/")[0] for n in found]}
            (root / "data").mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.table(rows), root / "data" / f"{split}-00000-of-00001.parquet")


@pytest.mark.parametrize("kind", ["folders", "tars of folders", "webdataset", "table"])
def test_every_layout_gives_the_same_probe(tmp_path: Path, kind: str) -> None:
    classes = ["cat", "dog", "owl"]
    lay(tmp_path / "linear_probe" / "mine", kind, classes)
    found = evaluate(Noisy(), "linear_probe", tmp_path)
    entry = found["tasks"]["linear_probe"]
    subset = entry["subsets"]["mine"]
    assert (subset["n"], subset["train"], subset["validation"], subset["classes"]) == (18, 30, 9, 3)
    assert entry["data"]["sets"]["mine"]["validation"] == "its own"
    assert subset["part"] == "probe"
    assert found["summary"] == {"comp": None, "zeroshot": None, "i2t": None, "t2i": None}
    assert individual(found) == {"linear_probe::mine": subset["accuracy"]}
    x = Noisy().encode_image([picture(k, i, 7) for k in range(3) for i in (*range(10), *range(20, 23))])
    y = np.repeat(np.arange(3), 13)
    test = Noisy().encode_image([picture(k, i, 7) for k in range(3) for i in range(30, 36)])
    weights, bias = newton(x.astype(np.float64), y, 3, subset["C"])
    right = (test @ weights.T + bias).argmax(1) == np.repeat(np.arange(3), 6)
    assert subset["accuracy"] == pytest.approx(100 * right.mean(), abs=100 / 18 + 1e-9)
    assert subset["accuracy"] > 60.0


def test_a_fifth_of_train_stands_in_for_a_validation_split(tmp_path: Path) -> None:
    root = tmp_path / "linear_probe" / "mine"
    for split, start in (("train", 0), ("test", 30)):
        for name, data in members(["cat", "dog"], start, 10).items():
            write(root / split / name, data)
    subset = evaluate(Noisy(), "linear_probe", tmp_path)["tasks"]["linear_probe"]["subsets"]["mine"]
    assert (subset["train"], subset["validation"]) == (16, 4)
    assert subset["C"] in [pytest.approx(probe.strength(s)) for s in range(97)]
    assert len(subset["tried"]) <= 15


def test_probes_are_shown_in_the_table_and_on_the_page(tmp_path: Path) -> None:
    from rich.console import Console

    from compoclip.report import table, write_report

    lay(tmp_path / "linear_probe" / "mine", "folders", ["cat", "dog"])
    results = evaluate(Noisy(), "linear_probe", tmp_path)
    console = Console(record=True, width=100, file=io.StringIO())
    console.print(table([results]))
    figure = f"{results['tasks']['linear_probe']['subsets']['mine']['accuracy']:.1f}"
    assert figure in console.export_text()
    page = write_report([results], tmp_path / "report").read_text("utf-8")
    assert "Linear probe, by set" in page
    assert figure in page


def test_an_oracle_gets_all_and_random_features_chance(tmp_path: Path) -> None:
    root = tmp_path / "linear_probe" / "mine"
    for split, start in (("train", 0), ("test", 100)):
        for name, data in members(["cat", "dog", "owl"], start, 40).items():
            write(root / split / name, data)
    sighted = evaluate(Noisy(0.0), "linear_probe", tmp_path)["tasks"]["linear_probe"]
    assert sighted["score"] == 100.0
    blind = evaluate(RandomModel(8), "linear_probe", tmp_path)["tasks"]["linear_probe"]["subsets"]["mine"]
    assert abs(blind["accuracy"] - 100 / 3) < 4 * 100 * np.sqrt(2 / 9 / 120)
    assert blind["chance"] == pytest.approx(100 / 3)


def test_published_sets_take_their_own_metric(tmp_path: Path) -> None:
    root = tmp_path / "linear_probe" / "oxford-iiit-pets"
    for split, start, counts in (("train", 0, (8, 8)), ("test", 30, (6, 2))):
        for k, (name, count) in enumerate(zip(("Abyssinian", "pug"), counts)):
            for i in range(start, start + count):
                write(root / split / name / f"{i}.png", png(picture(k, i, 7)))
    subset = evaluate(Noisy(2.0), "linear_probe", tmp_path)["tasks"]["linear_probe"]["subsets"]["oxford-iiit-pets"]
    assert subset["metric"] == "mean_per_class"
    assert subset["classes"] == 37
    low, high = subset["ci95"]
    assert low <= subset["accuracy"] <= high


def test_several_labels_are_probed_a_class_at_a_time(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for split, n in (("train", 40), ("test", 20)):
        labels = [sorted({int(k) for k in rng.integers(0, 3, 2)}) for _ in range(n)]
        images = [{"bytes": png(picture(row[0], i, 9))} for i, row in enumerate(labels)]
        path = tmp_path / "linear_probe" / "several" / f"{split}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"image": images, "labels": labels}), path)
    subset = evaluate(Noisy(0.2), "linear_probe", tmp_path)["tasks"]["linear_probe"]["subsets"]["several"]
    assert 60.0 < subset["accuracy"] <= 100.0
    assert subset["ci95"] is None


def test_the_eleven_of_degla_have_their_own_average() -> None:
    rules = TASKS["linear_probe"].averages(dict.fromkeys([*DEGLA_SETS, "mine"], 5))
    eleven = rules["DeGLA's 11, plain accuracy"]
    assert set(eleven.weights) == set(DEGLA_SETS)
    assert eleven.metric == "top1"
    assert list(TASKS["linear_probe"].averages({"mine": 3})) == ["mean of sets"]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match=r"linear_probe: no set found; looked for .*linear_probe/NAME"):
        evaluate(RandomModel(), "linear_probe", tmp_path)
    root = tmp_path / "linear_probe" / "mine"
    for name, data in members(["cat", "dog"], 0, 2).items():
        write(root / "train" / name, data)
    with pytest.raises(DataMissing, match=r"mine: a linear probe needs the splits train and test"):
        evaluate(RandomModel(), "linear_probe", tmp_path)
    for name, data in members(["cat", "dog"], 0, 2).items():
        write(root / "test" / name, data)
    write(root / "metric.txt", "f1\n")
    with pytest.raises(InputError, match="metric 'f1' is unknown"):
        evaluate(RandomModel(), "linear_probe", tmp_path)


class Pixels(RandomModel):
    """Eight by eight colours of a photo: a weak feature, but no model is needed for it."""

    def encode_image(self, images: list[Any], batch_size: int = 64) -> np.ndarray:
        small = [np.asarray(x.resize((8, 8), Image.Resampling.BOX), np.float32).ravel() / 255 - 0.5 for x in images]
        return unit(np.stack(small))


def test_on_real_photos_the_probe_equals_gradient_descent_of_our_own(shared: Path, tmp_path: Path) -> None:
    root = tmp_path / "linear_probe" / "cifar10"
    with tarfile.open(shared / "data" / "cifar10_test_1000" / "images.tar") as archive:
        found = {m.name: archive.extractfile(m).read() for m in archive if m.isfile()}  # type: ignore[union-attr]
    names = sorted(found)
    write_tar(root / "train.tar", {n: found[n] for i, n in enumerate(names) if i % 4})
    write_tar(root / "test.tar", {n: found[n] for i, n in enumerate(names) if i % 4 == 0})
    got = evaluate(Pixels(), "linear_probe", tmp_path, log_samples=True)
    subset = got["tasks"]["linear_probe"]["subsets"]["cifar10"]
    assert (subset["n"], subset["train"] + subset["validation"]) == (250, 750)
    assert subset["accuracy"] > 18.0  # chance is 10
    parts = [[n for i, n in enumerate(names) if (i % 4 == 0) == test] for test in (False, True)]
    x, test = (
        Pixels().encode_image([Image.open(io.BytesIO(found[n])) for n in part]).astype(np.float64) for part in parts
    )
    classes = sorted({n.split("/")[0] for n in names})
    y = np.array([classes.index(n.split("/")[0]) for n in parts[0]])
    c, weights, bias = subset["C"], np.zeros((10, 192)), np.zeros(10)
    rate = 1.0 / (1.0 + 0.5 * c * np.linalg.norm(np.hstack([x, np.ones((750, 1))]), 2) ** 2)
    previous, momentum = (weights, bias), 1.0
    for _ in range(1500):  # Nesterov's method with the Lipschitz constant of the loss
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        look = [a + (momentum - 1) / following * (a - b) for a, b in zip((weights, bias), previous)]
        previous, momentum = (weights, bias), following
        p = np.exp(x @ look[0].T + look[1])
        p /= p.sum(1, keepdims=True)
        p[np.arange(750), y] -= 1
        weights, bias = look[0] - rate * (look[0] + c * p.T @ x), look[1] - rate * c * p.sum(0)
    ours = (test @ weights.T + bias).argmax(1)
    theirs = np.array([classes.index(row["predicted"]) for row in got["samples"]])
    assert (ours == theirs).mean() > 0.97
