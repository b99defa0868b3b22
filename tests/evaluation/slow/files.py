"""Each benchmark's files read by hand, as its own documentation describes them; nothing of the package is used.

Long because every benchmark has one reader here.
"""

from __future__ import annotations

import ast
import csv
import json
import re
import tarfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.evaluation.slow.rows import Asked, Part, Photo


def _json(path: Path) -> Any:
    return json.loads(path.read_text())


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _csv(path: Path, dialect: str = "excel") -> list[dict[str, str]]:
    with open(path, newline="") as handle:
        return list(csv.DictReader(handle, dialect=dialect))


def sugarcrepe(root: Path) -> list[Part]:
    out = []
    for name in ("add_att", "add_obj", "replace_att", "replace_obj", "replace_rel", "swap_att", "swap_obj"):
        rows = []
        for row in _json(root / f"sugarcrepe/{name}.json").values():
            photo = Photo(root / "sugarcrepe/images" / row["filename"])
            rows.append(Asked([photo], [row["caption"], row["negative_caption"]]))
        out.append(Part(name, "captions", rows))
    return out


def sugarcrepe_pp(root: Path) -> list[Part]:
    out = []
    for name in ("replace_att", "replace_obj", "replace_rel", "swap_att", "swap_obj"):
        rows = []
        for row in _json(root / f"sugarcrepe_pp/{name}.json"):
            photo = Photo(root / "sugarcrepe_pp/images" / row["filename"])
            rows.append(Asked([photo], [row["caption"], row["caption2"], row["negative_caption"]]))
        out.append(Part(name, "triples", rows))
    return out


def valse(root: Path) -> list[Part]:
    out = []
    for path in sorted((root / "valse").glob("*.json")):
        rows = []
        for row in _json(path).values():
            if row["mturk"]["caption"] >= 2:
                rows.append(Asked([Photo(root / "valse/images" / row["image_file"])], [row["caption"], row["foil"]]))
        out.append(Part(path.stem, "captions", rows))
    return out


def aro(root: Path) -> list[Part]:
    out = []
    for name, stem in (("VG_Relation", "relation"), ("VG_Attribute", "attribution")):
        table = _json(root / f"aro/visual_genome_{stem}.json")
        size = Counter("_".join(row["attributes"]) for row in table if "attributes" in row)
        rows = []
        for row in table:
            group = row["relation_name"] if "relation_name" in row else "_".join(row["attributes"])
            if group == "adjusting" or (name == "VG_Attribute" and size[group] < 25):
                continue
            box = (row["bbox_x"], row["bbox_y"], row["bbox_w"], row["bbox_h"])
            photo = Photo(root / "aro/images" / row["image_path"], box)
            rows.append(Asked([photo], [row["true_caption"], row["false_caption"]], group))
        out.append(Part(name, "captions", rows))
    for name, file, folder in (
        ("COCO_Order", "coco_order", "aro"),
        ("Flickr30k_Order", "flickr30k_order", "aro/flickr30k-images"),
    ):
        rows = [
            Asked([Photo(root / folder / r["image"])], r["caption_options"]) for r in _lines(root / f"aro/{file}.jsonl")
        ]
        out.append(Part(name, "captions", rows, tie_is_right=True))
    return out


def whatsup(root: Path) -> list[Part]:
    out = []
    for name, file in (("WhatsUp_A", "controlled_images_dataset"), ("WhatsUp_B", "controlled_clevr_dataset")):
        table = _json(root / f"whatsup/{file}.json")
        rows = [Asked([Photo(root / "whatsup" / r["image_path"][len("data/") :])], r["caption_options"]) for r in table]
        out.append(Part(name, "captions", rows, tie_is_right=True))
    for source in ("coco", "vg"):
        for many in ("one", "two"):
            rows = []
            for image, true, false in _json(root / f"whatsup/{source}_qa_{many}_obj.json"):
                file = f"val2017/{image:012d}.jpg" if source == "coco" else f"vg_images/{image}.jpg"
                rows.append(Asked([Photo(root / "whatsup" / file)], [true, false]))
            out.append(Part(f"{source}_qa_{many}".upper(), "captions", rows, tie_is_right=True))
    return out


def negbench(root: Path) -> list[Part]:
    out = []
    voc = "voc2007/VOCdevkit/VOC2007/JPEGImages"
    for name, file, folder in (("COCO_MCQ", "COCO_val", "coco/val2017"), ("VOC_MCQ", "VOC2007", voc)):
        rows = []
        for row in _csv(root / f"negbench/data/images/{file}_mcq_llama3.1_rephrased.csv"):
            answer = int(row["correct_answer"])
            order = [answer] + [k for k in range(4) if k != answer]
            photo = Photo(root / folder / row["image_path"].split("/")[-1])
            rows.append(Asked([photo], [row[f"caption_{k}"] for k in order]))
        out.append(Part(name, "captions", rows, tie_is_right=True))
    return out


def crepe(root: Path) -> list[Part]:
    out = []
    for name in ("atom", "swap", "negate"):
        rows = []
        stem = root / f"crepe/prod_hard_negatives/{name}/prod_vg_hard_negs_{name}_complexity"
        for row in [row for n in (4, 12) for row in _csv(stem.with_name(f"{stem.name}_{n}.csv"))]:
            box = (int(row["x"]), int(row["y"]), int(row["width"]), int(row["height"]))
            photo = Photo(root / f"vg/VG_100K/{row['image_id']}.jpg", box)
            rows.append(Asked([photo], [row["caption"], *ast.literal_eval(row["hard_negs"])]))
        out.append(Part(name, "captions", rows))
    return out


def crepe_systematicity(root: Path) -> list[Part]:
    parts: dict[str, list[Asked]] = {}
    for path in sorted((root / "crepe/syst_hard_negatives").glob("*.csv")):
        split, trained = path.stem.removeprefix("syst_vg_hard_negs_").split("_compounds_in_")
        for row in _csv(path):
            box = (int(row["x"]), int(row["y"]), int(row["width"]), int(row["height"]))
            photo = Photo(root / f"vg/VG_100K/{row['image_id']}.jpg", box)
            for kind in ("atom", "comp", "combined"):
                false = ast.literal_eval(row[f"valid_hard_negs_{kind}"])
                if false:
                    asked = Asked([photo], [row["caption"], *false])
                    parts.setdefault(f"{trained}::{split}::{kind}", []).append(asked)
    return [Part(name, "captions", rows) for name, rows in parts.items()]


def conme(root: Path) -> list[Part]:
    out = []
    for name in ("replace-att", "replace-obj", "replace-rel"):
        table = _csv(root / f"conme/{name}_HUMAN_FILTER.csv")
        rows = [
            Asked([Photo(root / "val2017" / r["image"])], [r["correct_option"], r["incorrect_option"]]) for r in table
        ]
        out.append(Part(name, "captions", rows))
    return out


def vl_checklist(root: Path) -> list[Part]:
    base = root / "vl_checklist/data"
    out = []
    for path in sorted(base.rglob("*.json")):
        kind, *middle = path.relative_to(base).parts[:-1]
        source = (middle[-1] if kind != "Object" and middle else path.stem).split("_")[0]
        if kind == "Object":
            leaf = f"Object_{middle[0]}_{path.stem.split('_')[-1]}"
        else:
            leaf = f"{kind}_{path.stem.split('_')[-1]}"
        table = _json(path)
        photos = root / {"vaw": "vg"}.get(source, source)
        rows = [Asked([Photo(photos / image)], [t["POS"][0], t["NEG"][0]]) for image, t in table]
        if rows:
            out.append(Part(f"{leaf}/{source}/{path.stem}", "captions", rows, most=1000))
    return out


def svo_probes(root: Path) -> list[Part]:
    rows: dict[str, dict[tuple[str, str, str], Asked]] = {}
    kinds = ("subj_neg", "verb_neg", "obj_neg")
    for row in _csv(root / "svo_probes/svo_probes.csv"):
        false = [kind for kind in kinds if row[kind] == "True"]
        if len(false) == 1:
            key = (row["sentence"], row["pos_image_id"], row["neg_image_id"])
            photos = [Photo(root / f"svo_probes/images/{name}.jpg") for name in key[1:]]
            rows.setdefault(false[0], {})[key] = Asked(photos, [row["sentence"]])
    return [Part(kind, "images", list(rows[kind].values())) for kind in kinds]


def imagecode(root: Path) -> list[Part]:
    rows: dict[str, list[Asked]] = {"videos": [], "static": []}
    for folder, captions in _json(root / "imagecode/valid_data.json").items():
        place = root / "imagecode/image-sets" / folder
        files = sorted(place.glob("img*.jpg"), key=lambda p: int(re.sub(r"\D", "", p.stem)))
        for index, caption in captions.items():
            k = int(index)
            photos = [Photo(files[k]), *(Photo(p) for p in files if p != files[k])] if files else [Photo(place / "no")]
            rows["static" if "open-images" in folder else "videos"].append(Asked(photos, [caption]))
    return [Part(name, "images", found) for name, found in rows.items()]


def spec(root: Path) -> list[Part]:
    out = []
    for folder in sorted((root / "spec").iterdir()):
        rows = []
        for row in _json(folder / "image2text.json"):
            keys = row["keys"][:]
            true = keys.pop(row["label"])
            rows.append(Asked([Photo(folder / row["query"])], [true, *keys]))
        out.append(Part(f"{folder.name}::i2t", "captions", rows))
        rows = []
        for row in _json(folder / "text2image.json"):
            keys = row["keys"][:]
            true = keys.pop(row["label"])
            rows.append(Asked([Photo(folder / key) for key in (true, *keys)], [row["query"]]))
        out.append(Part(f"{folder.name}::t2i", "images", rows))
    return out


def _squares(rows: list[dict[str, Any]], images: Path, suffix: str, *fields: str) -> list[Asked]:
    out = []
    for row in rows:
        a, b, c, d = (row[f] for f in fields)
        out.append(Asked([Photo(images / (a + suffix)), Photo(images / (b + suffix))], [c, d]))
    return out


def winoground(root: Path) -> list[Part]:
    base = root / "winoground/data"
    fields = ("image_0", "image_1", "caption_0", "caption_1")
    return [Part("all", "squares", _squares(_lines(base / "examples.jsonl"), base / "images", ".png", *fields))]


def colorswap(root: Path) -> list[Part]:
    base = root / "colorswap/data"
    fields = ("image_1", "image_2", "caption_1", "caption_2")
    return [Part("test", "squares", _squares(_json(base / "test.json"), base, "", *fields))]


def eqben(root: Path) -> list[Part]:
    parts: dict[str, list[dict[str, Any]]] = {}
    for row in _json(root / "eqben/eqben.json"):
        for key in ("caption0", "caption1"):
            row[key] = row[key] if isinstance(row[key], str) else row[key][0]
        parts.setdefault(row["image0"].split("/")[0], []).append(row)
    fields = ("image0", "image1", "caption0", "caption1")
    return [Part(k, "squares", _squares(rows, root / "eqben/images", "", *fields)) for k, rows in parts.items()]


def vismin(root: Path) -> list[Part]:
    parts: dict[str, list[Asked]] = {}
    for row in _table(root / "vismin/data/test-00000-of-00001.parquet"):
        asked = Asked([_cell(row["image_0"]), _cell(row["image_1"])], [row["text_0"], row["text_1"]])
        parts.setdefault(row["category"], []).append(asked)
    return [Part(name, "squares", rows) for name, rows in parts.items()]


def cola(root: Path) -> list[Part]:
    rows = []
    for one, first, two, second in _json(root / "cola/COLA_multiobjects_matching_benchmark.json"):
        photos = [Photo(root / "cola/images" / address.split("/")[-1]) for address in (one, two)]
        rows.append(Asked(photos, [first, second]))
    return [Part("multi-object", "squares", rows)]


def coco_counterfactuals(root: Path) -> list[Part]:
    base = root / "coco_counterfactuals/data"
    fields = ("image_0", "image_1", "caption_0", "caption_1")
    return [Part("all", "squares", _squares(_lines(base / "examples.jsonl"), base / "images", ".jpg", *fields))]


def mmvp_vlm(root: Path) -> list[Part]:
    parts: dict[str, list[Asked]] = {}
    lines = _csv(root / "mmvp_vlm/Questions.csv")
    for k in range(0, len(lines), 2):
        both = lines[k : k + 2]
        folder = root / "mmvp_vlm/MLLM_VLM Images" / both[0]["Type"]
        photos = [Photo(folder / f"{line['Question ID']}.jpg") for line in both]
        texts = ["a photo of " + line["Statement"] for line in both]
        parts.setdefault(both[0]["Type"], []).append(Asked(photos, texts))
    return [Part(name, "squares", rows) for name, rows in parts.items()]


def retrieval(root: Path) -> list[Part]:
    captions: dict[str, list[str]] = {}
    for row in _csv(root / "retrieval/table/captions.tsv", "excel-tab"):
        if row["split"] == "test":
            captions.setdefault(row["image"], []).append(row["caption"])
    images = root / "retrieval/table/images"
    out = [Part("table", "retrieval", [Asked([Photo(images / name)], texts) for name, texts in captions.items()])]
    rows, unpacked = [], root / "unpacked"
    for path in sorted((root / "retrieval/tars").glob("*.tar")):
        with tarfile.open(path) as archive:
            for name in sorted(archive.getnames(), key=lambda n: int(n.split(".")[0])):
                data = archive.extractfile(name)
                assert data is not None
                unpacked.mkdir(exist_ok=True)
                (unpacked / name).write_bytes(data.read())
                if name.endswith(".json"):
                    photo = Photo(unpacked / name.replace(".json", ".jpg"))
                    rows.append(Asked([photo], _json(unpacked / name)["captions"]))
    return [*out, Part("tars", "retrieval", rows)]


def zeroshot(root: Path) -> list[Part]:
    base = root / "zeroshot"
    out = []
    kinds = sorted(p for p in (base / "plain").iterdir())
    names = [p.name.replace("_", " ") for p in kinds]
    rows = [Asked([Photo(file)], [name]) for kind, name in zip(kinds, names) for file in sorted(kind.iterdir())]
    out.append(Part("plain", "classes", rows, names=names, templates=["a photo of a {}."]))
    rows = []
    with tarfile.open(base / "auc/images.tar") as archive:
        archive.extractall(base / "auc/unpacked", filter="data")
    for file in sorted((base / "auc/unpacked").glob("*/*")):
        rows.append(Asked([Photo(file)], [file.parent.name]))
    out.append(Part("auc", "classes", rows, names=["cold", "warm"], templates=["a photo of a {}."], metric="roc_auc"))
    names = [line for line in (base / "macro/classnames.txt").read_text().splitlines() if not line.startswith("#")]
    templates = (base / "macro/templates.txt").read_text().splitlines()
    rows = [Asked([Photo(f)], [names[k]]) for k in range(len(names)) for f in sorted((base / f"macro/{k}").iterdir())]
    out.append(Part("macro", "classes", rows, names=names, templates=templates, metric="mean_per_class"))
    return out


def world(rows: int) -> list[Part]:
    from compoclip.data import world as drawn
    from compoclip.evaluation.tasks.world import TEST_SEED

    out = []
    for kind, pairs in drawn.composition_tests(TEST_SEED, rows).items():
        out.append(Part(kind, "captions", [Asked([Photo(pixels=r.image)], [r.caption, r.negative]) for r in pairs]))
    halves = [
        (Photo(pixels=r.image), [r.anchor, r.half_truth, r.full_truth]) for r in drawn.half_truths(TEST_SEED, rows)
    ]
    out.append(Part("half-truths", "halves in order", [Asked([photo], texts) for photo, texts in halves]))
    for style, found in drawn.zeroshot_sets(TEST_SEED, rows).items():
        asked = [Asked([Photo(pixels=x)], [found.class_names[int(k)]]) for x, k in zip(found.images, found.labels)]
        names, templates = list(found.class_names), list(found.templates)
        out.append(Part(f"zeroshot/{style}", "classes", asked, names=names, templates=templates))
    captioned = drawn.retrieval_set(TEST_SEED, rows)
    asked = [Asked([Photo(pixels=x)], list(t)) for x, t in zip(captioned.images, captioned.captions)]
    return [*out, Part("retrieval", "retrieval", asked)]


def _table(path: Path) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    return list(pq.read_table(path).to_pylist())


def _cell(cell: dict[str, Any] | None) -> Photo:
    import io

    import numpy as np
    from PIL import Image

    if cell is None:
        return Photo(Path("/not there"))
    return Photo(pixels=np.asarray(Image.open(io.BytesIO(cell["bytes"])).convert("RGB")))


def bivlc(root: Path) -> list[Part]:
    parts: dict[str, list[Asked]] = {}
    for row in _table(root / "bivlc/data/test-00000-of-00001.parquet"):
        photos = [_cell(row["image"]), _cell(row["negative_image"])]
        asked = Asked(photos, [row["caption"], row["negative_caption"]])
        parts.setdefault(f"{row['type']}_{row['subtype']}", []).append(asked)
    return [Part(name, "squares", rows) for name, rows in parts.items()]


def hard_positives(root: Path) -> list[Part]:
    out = []
    for name, file in (("swap", "visual_genome_attribution"), ("replace_att", "vl_checklist_attributes"),
                       ("replace_rel", "vl_checklist_relations")):  # fmt: skip
        rows = []
        tables = [_json(root / f"hard_positives/{folder}/{file}.json") for folder in ("data", "swapped_data")]
        for one, two in zip(*tables):
            base = root / ("aro/images" if name == "swap" else f"vg/{one['image_path'].split('/')[1]}")
            box = tuple(one[k] for k in ("bbox_x", "bbox_y", "bbox_w", "bbox_h")) if name == "swap" else None
            photo = Photo(base / one["image_path"].split("/")[-1], box)
            texts = [one["true_caption"], two["true_caption"], two["false_caption"], one["false_caption"]]
            rows.append(Asked([photo], texts))
        out.append(Part(name, "rewordings", rows))
    return out


def _class_folders(name: str, base: Path, classes: list[str], templates: list[str], metric: str) -> Part:
    """Folders in the order of their names, each with the class whose letters it shares, or whose number it is."""
    own = {"".join(c for c in one.lower() if c.isalnum()): one for one in classes}
    own |= {str(k): one for k, one in enumerate(classes)}
    rows = [
        Asked([Photo(file)], [own["".join(c for c in folder.name.lower() if c.isalnum())]])
        for folder in sorted(base.iterdir())
        for file in sorted(folder.iterdir())
    ]
    return Part(name, "classes", rows, names=classes, templates=templates, metric=metric)


def elevater(root: Path) -> list[Part]:
    from tests.evaluation.made import sets

    pets = root / "elevater/oxford-iiit-pets"
    return [
        _class_folders("cifar10", root / "elevater/cifar10", sets.CIFAR, sets.CIFAR_PROMPTS, "accuracy"),
        _class_folders("hateful-memes", root / "hateful_memes/test", sets.MEMES, sets.MEMES_PROMPTS, "roc_auc"),
        _class_folders("oxford-iiit-pets", pets, sets.PETS, sets.PETS_PROMPTS, "mean_per_class"),
    ]


def degla_zeroshot(root: Path) -> list[Part]:
    from tests.evaluation.made import sets

    pets = root / "elevater/oxford-iiit-pets"
    return [
        _class_folders("cifar10", root / "elevater/cifar10", sets.CIFAR, sets.CIFAR_PROMPTS, "accuracy"),
        _class_folders("oxford-iiit-pets", pets, sets.PETS, sets.PETS_PROMPTS, "accuracy"),
    ]


def half_truths(root: Path) -> list[Part]:
    out = []
    for name in ("coco_qwen", "coco_mistral", "cc3m_qwen"):
        table = _table(root / f"half_truths/data/{name}.parquet")
        rows = [Asked([_cell(r["image"])], [r[key] for key in ("anchor", "half_truth", "full_truth")]) for r in table]
        out.append(Part(name, "halves", rows))
    return out


def colorfoil(root: Path) -> list[Part]:
    import hashlib

    foils = ["blue", "black", "red", "pink", "yellow", "grey", "orange", "white", "green", "brown"]
    data, rows = _json(root / "coco/annotations/captions_val2017.json"), []
    for photo in data["images"]:
        for row in data["annotations"]:
            words = row["caption"].split(" ")
            if row["image_id"] == photo["id"] and {"red", "gray", "salmon"} & set(words):
                place = next(k for k, word in enumerate(words) if word in ("red", "gray", "salmon"))
                others = [f for f in foils if f != words[place] and not (f == "grey" and words[place] == "gray")]
                key = "\x1f".join(("pick", "colorfoil", "1", str(photo["id"]), str(place))).encode()
                drawn = int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "little") % len(others)
                foil = " ".join([*words[:place], others[drawn], *words[place + 1 :]])
                rows.append(Asked([Photo(root / "coco/val2017" / photo["file_name"])], [row["caption"], foil]))
                break
    return [Part("all", "captions", rows)]


def negrefcocog(root: Path) -> list[Part]:
    rows = []
    for row in _json(root / "negrefcocog/NegRefCOCOg.json"):
        photos = []
        for x, y, w, h in [row["ref_bbox"], *(b for b in row["bbox_list"] if b != row["ref_bbox"])]:
            left, top = int(x + 0.5), int(y + 0.5)
            box = (left, top, int(x + w + 0.5) - left, int(y + h + 0.5) - top)
            photos.append(Photo(root / "coco/train2014" / row["image"], box))
        rows.append(Asked(photos, [row["phrase"]]))
    return [Part("all", "images", rows, tie_is_right=True)]


def negbench_more(root: Path) -> list[Part]:
    base, out = root / "negbench/data/images", []
    for name, file, folder, parts, count in (
        ("SYNTHETIC_MCQ", "synthetic_mcq_llama3.1_rephrased", "negbench/synthetic", 1, 4),
        ("CHEXPERT", "chexpert_binary_mcq", "chexpert/valid", 3, 2),
        ("CHEXPERT_control", "chexpert_binary_mcq_control", "chexpert/valid", 3, 2),
    ):
        rows = []
        for row in _csv(base / f"{file}.csv"):
            answer = int(row["correct_answer"])
            order = [answer] + [k for k in range(count) if k != answer]
            photo = Photo(root / folder / "/".join(row["image_path"].split("/")[-parts:]))
            rows.append(Asked([photo], [row[f"caption_{k}"] for k in order]))
        out.append(Part(name, "captions", rows))
    return out


READERS: dict[str, Callable[[Path], list[Part]]] = {
    reader.__name__: reader
    for reader in (
        *(
            sugarcrepe,
            sugarcrepe_pp,
            valse,
            aro,
            whatsup,
            negbench,
            crepe,
            crepe_systematicity,
            conme,
            vl_checklist,
            svo_probes,
            imagecode,
        ),
        *(spec, winoground, colorswap, eqben, vismin, cola, coco_counterfactuals, mmvp_vlm, retrieval, zeroshot),
        *(bivlc, hard_positives, elevater, degla_zeroshot),
        *(half_truths, colorfoil, negrefcocog, negbench_more),
    )
}
