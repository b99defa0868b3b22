"""The published recognition sets: their facts, every layout they are read from, and scores against a slow reference.

Long because every published set has a made tree in each of its layouts.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from tests.evaluation.fakes import RandomModel, noise, picture, png, write, write_tar

from compoclip.errors import InputError
from compoclip.evaluation import TASKS, aggregate, evaluate, individual
from compoclip.evaluation.aggregate import DEGLA_SETS, ELEVATER
from compoclip.evaluation.known_sets import KnownSet, aligned, imagenets, known, known_sets, name_of, plain
from compoclip.evaluation.known_tasks import read_known
from compoclip.evaluation.labelled import read_labelled
from compoclip.evaluation.task import DataMissing, TaskOptions
from compoclip.report.pool import pool, summary_columns

TWENTY, NINETEEN, ALL = (tuple(TASKS[name].parts) for name in ("elevater", "vtab", "imagenet_robustness"))

# name: classes, prompts, metric, test images, as printed in vl_compo's and ELEVATER's tables
TABLE = """
caltech101 102 34 mean_per_class 6084
cifar10 10 18 accuracy 10000
cifar100 100 18 accuracy 10000
country211 211 5 accuracy 21100
dtd 47 8 accuracy 1880
eurosat-clip 10 3 accuracy 5000
fer2013 7 6 accuracy 3589
fgvc-aircraft-2013b 100 2 mean_per_class 3333
flower102 102 1 mean_per_class 6149
food101 101 1 accuracy 25250
gtsrb 43 3 accuracy 12630
hateful-memes 2 1 roc_auc 500
imagenet-1k 1000 80 accuracy 50000
kitti-distance 4 1 accuracy 711
mnist 10 1 accuracy 10000
oxford-iiit-pets 37 1 mean_per_class 3669
patchcamelyon 2 1 accuracy 32768
rendered-sst2 2 1 accuracy 1821
resisc45-clip 45 18 accuracy 25200
stanfordcar 196 8 accuracy 8041
voc2007classification 20 1 map11 4952
"""


class Sighted(RandomModel):
    """Knows picture (set, class) by its pixel (class // 256, class % 256, set): its feature is that class's own
    classifier, made of the random features of its prompts, times `sign`."""

    def __init__(self, sets: list[KnownSet], sign: float = 1.0) -> None:
        super().__init__(64)
        self.sets, self.sign = sets, sign

    def vector(self, which: KnownSet, k: int) -> np.ndarray:
        rows = [noise(t.replace("{}", which.classes[k]).encode(), self.width) for t in which.templates]
        return np.mean([r / np.linalg.norm(r) for r in rows], axis=0)

    def encode_image(self, images: list[Image.Image], batch_size: int = 64) -> np.ndarray:
        out = []
        for image in images:
            high, low, number = image.getpixel((0, 0))
            out.append(self.sign * self.vector(self.sets[number], 256 * high + low))
        return np.stack(out)


def shot(k: int, number: int = 0) -> bytes:
    return png(picture(k // 256, k % 256, number))


def folders(root: Path, labels: dict[str, list[int]], number: int = 0) -> None:
    for label, classes in labels.items():
        for i, k in enumerate(classes):
            write(root / label / f"{i}.png", shot(k, number))


def features(column: str, feature: Any) -> dict[bytes, bytes]:
    image = {"_type": "Image"}
    return {b"huggingface": json.dumps({"info": {"features": {"image": image, column: feature}}}).encode()}


def table(rows: list[tuple[bytes | None, Any]], column: str = "label", feature: Any = None) -> pa.Table:
    cells = [None if data is None else {"bytes": data, "path": "x.png"} for data, _ in rows]
    made = pa.table({"image": cells, column: [label for _, label in rows]})
    return made if feature is None else made.replace_schema_metadata(features(column, feature))


def save(path: Path, made: pa.Table) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(made, path, row_group_size=2)
    return path


def test_every_set_has_the_published_numbers_of_classes_prompts_and_images() -> None:
    for line in TABLE.split("\n")[1:-1]:
        name, classes, templates, metric, test = line.split()
        which = known(name)
        assert (len(which.classes), len(which.templates)) == (int(classes), int(templates)), name
        assert (which.metric, which.test) == (metric, int(test)), name
        assert all(t.count("{}") == 1 for t in which.templates)
        if name != "imagenet-1k":
            assert len({plain(c) for c in which.classes}) == len(which.classes), name
            assert set(which.folders.values()) <= set(which.classes)
    assert [line.split()[0] for line in TABLE.split("\n")[1:-1]] == list(ELEVATER)
    assert len(known("sun397").classes) == 397
    assert set(known_sets()) == {*TWENTY, *NINETEEN, "stl10"}


def test_the_catalogue_puts_every_set_where_the_tasks_look() -> None:
    from compoclip.data.catalog import entries

    for name in (*TWENTY, *NINETEEN, *ALL, "stl10"):
        item = entries()[name]
        assert f"{known(name).test:,}" in item.size, name
        assert item.hub is None or item.hub.to == f"elevater/{name}", name
        assert item.hub is not None or item.gate, name
    assert {"imagenet", "bivlc", "hard-positives"} <= set(entries())


def test_folder_names_lead_to_one_set() -> None:
    assert name_of("wds_vtab-pets_test") == "oxford-iiit-pets"
    assert name_of("wds_imagenet1k") == "imagenet-1k"
    assert name_of("cifar10") == "cifar10"
    assert name_of("cifar10_test_1000") is None
    every = [folder for s in (*known_sets(), *imagenets()) for folder in [s, *known(s).also]]
    assert len(every) == len(set(every))


def eurosat_rows() -> dict[str, list[int]]:
    """Folders by their original names; pictures of classes 3, 3 and 0, the last in the wrong folder."""
    return {"Highway": [3, 3], "AnnualCrop": [0], "SeaLake": [0]}


def test_class_folders_by_their_original_names(tmp_path: Path) -> None:
    which = known("eurosat-clip")
    folders(tmp_path / "elevater" / "eurosat-clip", eurosat_rows())
    found = evaluate(Sighted([which]), "elevater", tmp_path)["tasks"]["elevater"]
    subset = found["subsets"]["eurosat-clip"]
    assert subset["accuracy"] == 75.0
    assert (subset["n"], subset["classes"], subset["templates"], subset["chance"]) == (4, 10, 3, 10.0)
    assert found["rule"] == "mean of 20 (1 of 20 sets)"
    assert found["data"]["sets"]["eurosat-clip"]["labels"] == "class names"
    assert len(found["absent"]["sets"]) == 19
    assert found["data"]["other sizes"] == ["eurosat-clip"]
    assert evaluate(Sighted([which], -1.0), "elevater", tmp_path)["tasks"]["elevater"]["score"] == 0.0


def test_clip_benchmark_tars(tmp_path: Path) -> None:
    root = tmp_path / "wds_vtab-pets_test"
    names = [n.title() for n in known("oxford-iiit-pets").classes]
    write(root / "classnames.txt", "\n".join(reversed(names)) + "\n")
    write(root / "zeroshot_classification_templates.txt", "never used by elevater {c}\n")
    members = {f"s{i}.png": shot(36 - i) for i in range(3)} | {f"s{i}.cls": str(i).encode() for i in range(3)}
    write_tar(root / "test" / "0.tar", members)
    write_tar(root / "test" / "1.tar", {"s9.webp": shot(5), "s9.cls": b"30"})  # class 30 is 6 from the end: wrong
    write(root / "test" / "nshards.txt", "2\n")
    found = evaluate(Sighted([known("oxford-iiit-pets")]), "elevater", tmp_path)["tasks"]["elevater"]
    subset = found["subsets"]["oxford-iiit-pets"]
    assert subset["top1"] == 75.0
    assert subset["accuracy"] == subset["mean_per_class"] == 75.0
    assert found["data"]["sets"]["oxford-iiit-pets"]["layout"] == "webdataset"
    write(root / "test" / "nshards.txt", "3\n")
    with pytest.raises(InputError, match=r"nshards.txt counts 3 shards, 2\.tar is not there"):
        evaluate(RandomModel(), "elevater", tmp_path)


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_hugging_face_tables_on_disk(tmp_path: Path, kind: str) -> None:
    which = known("food101")
    names = [c.replace(" ", "_") for c in which.classes]
    feature = {"names": names, "_type": "ClassLabel"}
    made = table([(shot(7), 7), (shot(3), 3), (None, 2), (shot(0), 1), (shot(100), 100)], feature=feature)
    if kind == "parquet":
        save(tmp_path / "elevater" / "food101" / "data" / "validation-00000-of-00001.parquet", made)
    else:
        path = tmp_path / "elevater" / "food101" / "test" / "data-00000-of-00001.arrow"
        path.parent.mkdir(parents=True)
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, made.schema) as writer:
            writer.write_table(made)
    found = evaluate(Sighted([which]), "elevater", tmp_path)["tasks"]["elevater"]["subsets"]["food101"]
    assert (found["n"], found["missing"], found["accuracy"]) == (4, 1, 75.0)


def test_labels_are_matched_for_certain_or_not_at_all(tmp_path: Path) -> None:
    def matched(name: str, labels: dict[str, list[int]]) -> tuple[list[int], str]:
        root = tmp_path / f"{name}-{len(list(tmp_path.iterdir()))}"
        folders(root, labels)
        data = read_labelled(root)
        assert data is not None
        place, how = aligned(known(name), data, root)
        return place.tolist(), how

    assert matched("gtsrb", {f"{i:05d}": [0] for i in (0, 7, 42)})[0] == [0, 7, 42]
    assert matched("flower102", {str(i): [0] for i in (1, 50, 102)})[0] == [0, 49, 101]  # folders sort as numbers
    assert matched("cifar10", {"truck": [0], "Airplane": [0]})[0] == [0, 9]
    codes = [f"C{i:03d}" for i in range(211)]
    assert matched("country211", {c: [0] for c in codes}) == (list(range(211)), "the order of the sorted folders")
    with pytest.raises(InputError, match="whether they count from 0 or 1"):
        matched("flower102", {"1": [0], "2": [0]})
    with pytest.raises(InputError, match="class 'lorry' is none of the 10 classes of cifar10"):
        matched("cifar10", {"lorry": [0], "cat": [0]})
    with pytest.raises(InputError, match="class '3' is none of the 7 classes of fer2013"):
        matched("fer2013", {"3": [0], "4": [0]})
    root = tmp_path / "named"
    folders(root, {"lorry": [0], "cat": [0]})
    write(root / "classnames.txt", "lorry\ttruck\n")
    data = read_labelled(root)
    assert data is not None
    assert aligned(known("cifar10"), data, root)[0].tolist() == [3, 9]


def test_bare_numbers_are_the_sets_own_order_or_refused(tmp_path: Path) -> None:
    save(tmp_path / "mnist" / "test.parquet", table([(shot(4), 4), (shot(2), 3)]))
    assert evaluate(Sighted([known("mnist")]), "elevater", tmp_path)["tasks"]["elevater"]["score"] == 50.0
    save(tmp_path / "mnist" / "test.parquet", table([(shot(4), 10)]))
    with pytest.raises(InputError, match="label 10 is outside the 10 classes of mnist"):
        evaluate(RandomModel(), "elevater", tmp_path)
    (tmp_path / "mnist" / "test.parquet").unlink()
    save(tmp_path / "fer2013" / "test.parquet", table([(shot(4), 4), (shot(2), 3)]))
    with pytest.raises(InputError, match="labels are bare numbers, and for fer2013 neutral is the fifth class"):
        evaluate(RandomModel(), "elevater", tmp_path)


def slow_cosines(model: RandomModel, which: KnownSet, images: list[bytes]) -> list[list[float]]:
    """Every image against every class, in float64 Python."""
    weights = []
    for name in which.classes:
        total = np.zeros(model.width)
        for template in which.templates:
            v = noise(template.replace("{}", name).encode(), model.width)
            total += v / np.sqrt((v * v).sum())
        weights.append(total / np.sqrt((total * total).sum()))
    out = []
    for data in images:
        v = noise(np.asarray(Image.open(io.BytesIO(data))).tobytes(), model.width)
        v = v / np.sqrt((v * v).sum())
        out.append([float((v * w).sum()) for w in weights])
    return out


def test_random_features_score_as_a_slow_loop_does_and_near_chance(tmp_path: Path) -> None:
    model, which = RandomModel(24), known("cifar10")
    images = [shot(i, 9) for i in range(400)]
    labels = [i % 10 if i % 3 else 0 for i in range(400)]
    feature = {"names": {str(i): c for i, c in enumerate(which.classes)}, "_type": "ClassLabel"}
    save(tmp_path / "cifar10" / "test.parquet", table(list(zip(images, labels)), "fine_label", feature))
    found = evaluate(model, "elevater", tmp_path)["tasks"]["elevater"]["subsets"]["cifar10"]
    right = [max(range(10), key=row.__getitem__) == k for row, k in zip(slow_cosines(model, which, images), labels)]
    assert found["accuracy"] == pytest.approx(100 * np.mean(right))
    classes = [np.mean([r for r, k in zip(right, labels) if k == c]) for c in range(10)]
    assert found["mean_per_class"] == pytest.approx(100 * np.mean(classes))
    assert abs(found["accuracy"] - 10.0) < 4 * 100 * np.sqrt(0.1 * 0.9 / 400)


def test_hateful_memes_ranks_by_the_probability_of_hate(tmp_path: Path) -> None:
    model, which = RandomModel(8), known("hateful-memes")
    images, labels = [shot(i) for i in range(40)], [int(i % 3 == 0) for i in range(40)]
    save(tmp_path / "hateful_memes" / "test.parquet", table(list(zip(images, labels))))
    found = evaluate(model, "elevater", tmp_path)["tasks"]["elevater"]["subsets"]["hateful-memes"]
    score = [100 * (row[1] - row[0]) for row in slow_cosines(model, which, images)]  # a softmax keeps the order
    pairs = [(p > n) + 0.5 * (p == n) for p, a in zip(score, labels) if a for n, b in zip(score, labels) if not b]
    assert found["accuracy"] == pytest.approx(100 * np.mean(pairs))
    assert (found["metric"], found["chance"]) == ("roc_auc", 50.0)


def slow_ap11(score: list[float], positive: list[bool], first: float) -> float:
    """`first` is the precision at recall 0, where nothing is found yet: 1 in ELEVATER's evaluator, none in VOC's."""
    order = sorted(range(len(score)), key=lambda i: -score[i])
    best = [first] + [0.0] * 10
    for cut in range(1, len(order) + 1):
        hits = sum(positive[i] for i in order[:cut])
        for t in range(11):
            if hits / sum(positive) >= t / 10 - 1e-12:
                best[t] = max(best[t], hits / cut)
    return sum(best) / 11


@pytest.mark.parametrize("kind", ["webdataset", "parquet"])
def test_voc_is_mean_average_precision_over_several_labels(tmp_path: Path, kind: str) -> None:
    model, which = RandomModel(16), known("voc2007classification")
    rng = np.random.default_rng(0)
    images = [shot(i) for i in range(30)]
    several = rng.random((30, 20)) < 0.2
    several[:, 19] = False  # a class without any image is left out
    if kind == "webdataset":
        root = tmp_path / "wds_voc2007_multilabel"
        members = {}
        for i, data in enumerate(images):
            buffer = io.BytesIO()
            np.save(buffer, several[i].astype(np.float32))
            members |= {f"{i}.png": data, f"{i}.npy": buffer.getvalue()}
        write_tar(root / "test" / "0.tar", members)
        write(root / "classnames.txt", "\n".join(which.classes))
        write(root / "dataset_type.txt", "multilabel")
    else:
        feature = {"feature": {"names": which.classes, "_type": "ClassLabel"}, "_type": "Sequence"}
        rows = [(data, np.flatnonzero(several[i]).tolist()) for i, data in enumerate(images)]
        save(tmp_path / "voc2007" / "test.parquet", table(rows, "classes", feature))
    found = evaluate(model, "elevater", tmp_path)["tasks"]["elevater"]["subsets"]["voc2007classification"]
    cosines = np.array(slow_cosines(model, which, images))
    odds = np.exp(100 * (cosines - cosines.max(1, keepdims=True)))
    odds /= odds.sum(1, keepdims=True)
    present = [c for c in range(20) if several[:, c].any()]
    assert len(present) == 19
    for name, first in (("map11", 1.0), ("map11_voc", 0.0)):
        expected = [slow_ap11(odds[:, c].tolist(), several[:, c].tolist(), first) for c in present]
        assert found[name] == pytest.approx(100 * np.mean(expected))
    assert found["accuracy"] == found["map11"]
    assert found["metric"] == "map11"
    assert found["any_hit"] == pytest.approx(100 * np.mean([several[i, k] for i, k in enumerate(odds.argmax(1))]))


def test_kitti_is_pressed_whole_into_a_square(tmp_path: Path) -> None:
    wide = Image.new("RGB", (60, 20), (0, 0, 0))
    wide.paste((0, 2, 0), (0, 0, 60, 20))
    folders(tmp_path / "elevater" / "kitti-distance", {"0": [0], "3": [3]})
    write(tmp_path / "elevater" / "kitti-distance" / "2" / "w.png", png(wide))
    read = read_known(tmp_path, "kitti-distance", TaskOptions(tmp_path))
    assert read is not None
    pictures = read[0].image_refs()
    assert {p.load().size for p in pictures} == {(224, 224)}
    assert all(p.key.endswith("|224x224") for p in pictures)
    model = Sighted([known("kitti-distance")])
    assert evaluate(model, "elevater", tmp_path)["tasks"]["elevater"]["score"] == 100.0


def imagenet_tree(root: Path) -> list[str]:
    ids = known("imagenet-1k").ids
    for k in (0, 657, 744, 999):
        write(root / "val" / ids[k] / "a.JPEG", shot(k))
    return ids


def test_imagenet_takes_the_first_of_two_classes_of_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    which = replace(known("imagenet-1k"), templates=["a {}.", "the {}."])  # two prompts of 80, for speed
    monkeypatch.setattr("compoclip.evaluation.known_sets.imagenets", lambda: {which.name: which})
    assert which.classes[657] == which.classes[744] == "missile"
    imagenet_tree(tmp_path / "imagenet")
    found = evaluate(Sighted([which]), "imagenet", tmp_path, log_samples=True)
    subset = found["tasks"]["imagenet"]["subsets"]["imagenet-1k"]
    assert [row["correct"] for row in found["samples"]] == [1.0, 1.0, 0.0, 1.0]
    assert (subset["accuracy"], subset["ties"], subset["templates"]) == (75.0, 0, 2)
    assert individual(found) == {"elevator::imagenet-1k": 75.0}
    assert aggregate("vl_compo", individual(found)) == {"imagenet": 75.0}


def test_twenty_one_sets_feed_the_published_averages(tmp_path: Path) -> None:
    sets = [known(name) for name in (*TWENTY, "sun397")]
    for number, which in enumerate(sets):
        if which.name == "voc2007classification":
            names = {"feature": {"names": which.classes}}
            rows = [(shot(0, number), [0, 5]), (shot(5, number), [5])]
            save(tmp_path / which.name / "test.parquet", table(rows, feature=names))
            continue
        # class 0 has three pictures, one of them of class 1: accuracy 75, mean per class 83.3, ROC AUC 83.3
        names = {"names": which.classes}
        rows = [(shot(k, number), label) for k, label in ((0, 0), (0, 0), (1, 0), (1, 1))]
        save(tmp_path / "elevater" / which.name / "test.parquet", table(rows, feature=names))
    results = evaluate(Sighted(sets), "elevater,degla_zeroshot", tmp_path)
    tasks = results["tasks"]
    assert tasks["elevater"]["rule"] == "mean of 20"
    for name, subset in tasks["elevater"]["subsets"].items():
        metric = known(name).metric
        if metric != "map11":
            assert subset["accuracy"] == pytest.approx(75.0 if metric == "accuracy" else 250 / 3), name
    assert tasks["degla_zeroshot"]["rule"] == "mean of 11 (10 of 11 sets)"
    assert tasks["degla_zeroshot"]["score"] == pytest.approx(75.0)
    measured = [*tasks["elevater"]["subsets"].values(), tasks["degla_zeroshot"]["subsets"]["sun397"]]
    assert results["summary"]["zeroshot"] == pytest.approx(np.mean([s["accuracy"] for s in measured]))
    zeroshot = next(c for c in summary_columns(pool([results], 0)) if c.summary == "zeroshot")
    assert len(zeroshot.strata) == len(measured) == 21  # the report counts them alike
    figures = individual(results)
    assert figures["elevator::caltech101"] == pytest.approx(250 / 3)
    assert figures["degla_zeroshot::caltech101"] == pytest.approx(75.0)
    figures |= {"elevator::imagenet-1k": 60.0, "degla_zeroshot::imagenet-1k": 60.0}
    twenty = sum(figures[f"elevator::{name}"] for name in TWENTY)
    assert aggregate("vl_compo", figures)["21_tasks_avg"] == pytest.approx((twenty + 60.0) / 21)
    assert aggregate("degla", figures)["zeroshot_11"] == pytest.approx((10 * 75.0 + 60.0) / 11)
    assert set(DEGLA_SETS) - {"imagenet-1k", "sun397"} <= set(TWENTY)


def test_absent_sets_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match=r"none of its sets found \(caltech101, cifar10, cifar100 …\); looked"):
        evaluate(RandomModel(), "elevater", tmp_path)
    with pytest.raises(DataMissing, match="imagenet: none of its sets found"):
        evaluate(RandomModel(), "imagenet", tmp_path)
    folders(tmp_path / "imagenet" / "val", {"n01440764": [0], "n99443537": [1]})
    with pytest.raises(InputError, match="class 'n01440764' is none of the 1000 classes of imagenet-1k"):
        evaluate(RandomModel(), "imagenet", tmp_path)


def test_a_folder_that_only_shares_a_name_is_told_and_passed_over(tmp_path: Path) -> None:
    folders(tmp_path / "kitti", {"image_2": [0], "image_3": [1]})  # a raw copy
    folders(tmp_path / "cifar10", {"cat": [3], "dog": [5]})
    found = evaluate(Sighted([known("cifar10")]), "elevater", tmp_path)["tasks"]["elevater"]
    assert list(found["subsets"]) == ["cifar10"]
    assert "class 'image_2' is none of the 4 classes of kitti-distance" in found["data"]["not read"]["kitti-distance"]
    assert evaluate(RandomModel(), "all", tmp_path, limit=2)["tasks"]["elevater"]["score"] is not None
    folders(tmp_path / "elevater" / "mnist", {"cat": [3], "dog": [5]})
    with pytest.raises(InputError, match="class 'cat' is none of the 10 classes of mnist"):
        evaluate(RandomModel(), "elevater", tmp_path)


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ([(b"x", -1), (b"x", 2)], "row 0 of split test has no label"),
        ([(b"x", 1.5)], "labels must be numbers, texts, or lists of numbers"),
        ([(b"x", [0, 25])], r"row 0: label 25 is outside the 20 classes"),
    ],
)
def test_bad_tables_are_named(tmp_path: Path, cells: list[tuple[bytes, Any]], says: str) -> None:
    names = {"names": known("voc2007classification").classes}
    save(tmp_path / "voc2007" / "test.parquet", table(cells, feature=names))
    with pytest.raises(InputError, match=says):
        evaluate(RandomModel(), "elevater", tmp_path)


def test_a_truncated_table_and_a_foreign_cell_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "cifar10" / "test.parquet", b"PAR1 cut short")
    with pytest.raises(InputError, match=r"test.parquet: not a Parquet file .*fetch it again"):
        evaluate(RandomModel(), "elevater", tmp_path)
    save(path, table([(b"no image", 1), (shot(1), 1)]))
    with pytest.raises(InputError, match=r"test.parquet: row 0, image: not an image"):
        evaluate(RandomModel(), "elevater", tmp_path)
    save(path, pa.table({"picture": [b"x"], "label": [1]}))
    with pytest.raises(InputError, match=r"no column image or img or .*its columns: picture, label"):
        evaluate(RandomModel(), "elevater", tmp_path)
    write_tar(tmp_path / "cifar10" / "test" / "0.tar", {"a.png": shot(0), "a.cls": b"cat"})
    write(tmp_path / "cifar10" / "test" / "nshards.txt", "1")
    with pytest.raises(InputError, match=r"0\.tar:a\.cls: 'cat' is no number"):
        evaluate(RandomModel(), "elevater", tmp_path)
    write_tar(tmp_path / "cifar10" / "test" / "0.tar", {"../a.png": shot(0), "a.cls": b"1"})
    with pytest.raises(InputError, match="points outside the archive"):
        evaluate(RandomModel(), "elevater", tmp_path)


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_the_tree_of_the_elevater_toolkit(tmp_path: Path) -> None:
    which, pets = known("cifar100"), known("oxford-iiit-pets")
    root = tmp_path / "classification" / "cifar100_20200721"
    names = sorted(which.classes, key=lambda n: n[::-1])  # the toolkit numbers this set in an order of its own
    write(root / "labels.txt", "\n".join(n.replace(" ", "_") for n in names))
    zipped(root / "test_images.zip", {f"a b/{k}.png": shot(which.classes.index(names[k])) for k in (0, 5, 99)})
    lines = [f"test_images.zip@a b/{k}.png {k}" for k in (0, 5)] + ["test_images.zip@a b/99.png 3"]
    write(root / "test_images.txt", "\n".join([*lines, "test_images.zip@gone.png 3"]) + "\n")
    found = evaluate(Sighted([which]), "elevater", tmp_path)["tasks"]["elevater"]
    subset = found["subsets"]["cifar100"]
    assert (subset["n"], subset["missing"], subset["accuracy"]) == (3, 1, pytest.approx(200 / 3))
    assert found["data"]["sets"]["cifar100"]["layout"] == "elevater toolkit"
    write(root / "labels.txt", "\n".join(f"c{k}" for k in range(100)))
    with pytest.raises(InputError, match="class 'c0' is none of the 100 classes of cifar100"):
        evaluate(RandomModel(), "elevater", tmp_path)
    (root / "labels.txt").unlink()
    root = tmp_path / "elevater" / "resisc45_clip_20210924"  # COCO-like, categories counted from 1
    images = [{"id": i, "file_name": f"{i}.png", "zip_file": "images.zip"} for i in range(3)]
    marks = [{"image_id": i, "category_id": k + 1} for i, k in enumerate((4, 7, 7))]
    categories = [{"id": k + 1, "name": f"#{k}"} for k in range(45)]
    write(root / "test.json", {"images": images, "annotations": marks, "categories": categories})
    zipped(root / "images.zip", {f"{i}.png": shot(k) for i, k in enumerate((4, 7, 8))})
    found = evaluate(Sighted([known("resisc45-clip")]), "elevater", tmp_path)["tasks"]["elevater"]
    assert found["subsets"]["resisc45-clip"]["accuracy"] == pytest.approx(200 / 3)
    assert found["data"]["sets"]["resisc45-clip"]["labels"] == "the toolkit's own order"
    assert pets.name not in found["subsets"]


@pytest.mark.parametrize("base", ["classification", "imagenet-1k/classification", "elevater"])
def test_imagenet_in_the_tree_of_the_toolkit(base: str, tmp_path: Path) -> None:
    """Its test split is `val.json` (vision_datasets.json), and labels count in the order of the categories' ids."""
    root = tmp_path / base / "imagenet_1k_20220105"
    images = [{"id": i, "file_name": f"val_images.zip@val/{i}.JPEG"} for i in range(4)]
    marks = [{"image_id": i, "category_id": k + 1} for i, k in enumerate((4, 7, 999, 0))]
    categories = [{"id": k + 1, "name": f"n{k:08d}"} for k in reversed(range(1000))]
    write(root / "val.json", {"images": images, "annotations": marks, "categories": categories})
    write(root / "train.json", {"images": [], "annotations": [], "categories": categories})
    zipped(root / "val_images.zip", {f"val/{i}.JPEG": shot(k) for i, k in enumerate((4, 7, 999, 1))})
    (found,) = TASKS["imagenet"].load(TaskOptions(tmp_path)).subsets
    assert found.labels.tolist() == [4, 7, 999, 0]
    assert [p.where.split("@")[-1].split(":")[-1] for p in found.images] == [f"val/{i}.JPEG" for i in range(4)]


def test_a_validation_index_is_no_test_split_of_another_set(tmp_path: Path) -> None:
    root = tmp_path / "classification" / "resisc45_clip_20210924"
    images = [{"id": 0, "file_name": "0.png", "zip_file": "images.zip"}]
    categories = [{"id": k + 1, "name": f"#{k}"} for k in range(45)]
    marks = [{"image_id": 0, "category_id": 1}]
    write(root / "val.json", {"images": images, "annotations": marks, "categories": categories})
    zipped(root / "images.zip", {"0.png": shot(0)})
    with pytest.raises(DataMissing, match="elevater: none of its sets found"):
        evaluate(RandomModel(), "elevater", tmp_path)


def test_voc_in_the_tree_of_the_toolkit_has_several_labels(tmp_path: Path) -> None:
    which = known("voc2007classification")
    root = tmp_path / "elevater" / "voc2007_20211007"
    write(root / "labels.txt", "\n".join(which.classes))
    write(root / "test_ic.txt", "test.zip@1.png 3,7\ntest.zip@2.png 7\n")
    zipped(root / "test.zip", {"1.png": shot(3), "2.png": shot(7)})
    subset = evaluate(Sighted([which]), "elevater", tmp_path)["tasks"]["elevater"]["subsets"][which.name]
    # class 3 ranks image 1 first: 1; class 7 ranks image 2 first and image 1 second: 1
    assert (subset["metric"], subset["accuracy"]) == ("map11", 100.0)
    for line, says in (
        ("test.zip@1.png", "line 1 must be an image and its labels"),
        ("test.zip@1.png 3,x", "line 1 must be an image and its labels"),
        ("test.zip@1.png 20", r"has the labels \[20\], outside the 20 of its label list"),
        ("more.zip@1.png 2", r"the index names more\.zip, which is not there"),
        ("test.zip@9.png 2", "none of its 1 images is there"),
    ):
        write(root / "test_ic.txt", line + "\n")
        with pytest.raises(InputError, match=says):
            evaluate(RandomModel(), "elevater", tmp_path)


def test_own_sets_are_read_in_the_same_layouts(tmp_path: Path) -> None:
    rows = [(shot(i), i % 2) for i in range(6)]
    names = {"names": ["grey_cat", "dog"], "_type": "ClassLabel"}
    save(tmp_path / "zeroshot" / "mine" / "data" / "test-00000-of-00001.parquet", table(rows, feature=names))
    members = {"a.png": shot(1), "a.cls": b"1", "b.png": shot(0), "b.cls": b"0"}
    write_tar(tmp_path / "zeroshot" / "tars" / "test" / "0.tar", members)
    write(tmp_path / "zeroshot" / "tars" / "classnames.txt", "owl\nhen\n")
    write(tmp_path / "zeroshot" / "tars" / "zeroshot_classification_templates.txt", "my {c}\n")
    folders(tmp_path / "cifar10", {"cat": [0], "dog": [1]})  # a published set: the task elevater has it
    write(tmp_path / "cifar10" / "classnames.txt", "cat\ndog\n")
    asked: list[str] = []

    class Listens(RandomModel):
        def encode_text(self, texts: list[str], batch_size: int = 64) -> np.ndarray:
            asked.extend(texts)
            return super().encode_text(texts)

    found = evaluate(Listens(), "zeroshot", tmp_path)["tasks"]["zeroshot"]["subsets"]
    assert {name: s["n"] for name, s in found.items()} == {"mine": 6, "tars": 2}
    assert set(asked) == {"a photo of a grey cat.", "a photo of a dog.", "my owl", "my hen"}
