"""Made benchmarks of one picture and several captions, each in its official layout."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from tests.evaluation.made.base import AGAIN, BOX, Made, Name, parquet, questions

CREPE = ("replace_att", "replace_obj", "replace_rel", "swap_att", "swap_obj", "add_att", "add_obj")
VALSE = (
    *("existence", "plurals", "counting-hard", "counting-small-quant", "counting-adversarial", "relations"),
    *("action-replacement", "actant-swap", "coreference-standard", "coreference-hard", "foil-it"),
)


TEMPLATES = ("positive", "negative", "hybrid")


def coco(number: int) -> str:
    return f"{number:012d}.jpg"


def sugarcrepe(made: Made) -> None:
    for k, subset in enumerate(CREPE):
        rows = questions(made, "sugarcrepe/images", coco)
        rows += rows[: k * made.trouble]  # subsets of unequal size, so that a pooled mean is no mean of means
        table = {
            str(3 * i + 1): {"filename": image, "caption": text, "negative_caption": wrong}
            for i, (image, text, (wrong,)) in enumerate(rows)
        }
        made.write(f"sugarcrepe/{subset}.json", table)


def sugarcrepe_pp(made: Made) -> None:
    for k, subset in enumerate(CREPE[:5]):
        rows: list[dict[str, Any]] = []
        for i, (image, text, (wrong,)) in enumerate(questions(made, "sugarcrepe_pp/images", coco)):
            second = made.true(*made.fits[text])
            made.second.add(second)
            row = {"id": i, "filename": image, "caption": text, "caption2": second, "negative_caption": wrong}
            rows.append(row)
        if made.trouble:
            rows.append(rows[0])
            rows.append(rows[0] | {"caption2": rows[0]["caption"]})
            rows.append(rows[0] | {"caption2": rows[0]["negative_caption"] + AGAIN})
        rows += rows[: k * made.trouble]
        made.write(f"sugarcrepe_pp/{subset}.json", rows)


def valse(made: Made) -> None:
    for subset in VALSE:
        table: dict[str, Any] = {}
        for i, (image, text, (foil,)) in enumerate(questions(made, "valse/images", lambda n: f"v7w_{n}.jpg")):
            agreed = {"foil": i % 2, "caption": 2 + i % 2, "other": 0}
            table[f"{subset}_{i}"] = {"image_file": image, "caption": text, "foil": foil, "mturk": agreed}
        table["not accepted"] = table[f"{subset}_0"] | {"mturk": {"foil": 2, "caption": 1, "other": 0}}
        made.write(f"valse/{subset}.json", table)


def _regions(made: Made) -> list[dict[str, Any]]:
    box = dict(zip(("bbox_x", "bbox_y", "bbox_w", "bbox_h"), BOX))
    return [
        {"image_path": image, "true_caption": text, "false_caption": wrong, **box}
        for image, text, (wrong,) in questions(made, "aro/images", lambda n: f"{n}.jpg", box=BOX)
    ]


def aro(made: Made) -> None:
    kept, dropped = ("riding", "on", "eating"), "adjusting"
    rows = _regions(made)
    rows = [row | {"relation_name": kept[0 if i % 4 else 1 + i % 3 % 2]} for i, row in enumerate(rows)]
    rows += [rows[0] | {"relation_name": dropped}]
    made.write("aro/visual_genome_relation.json", rows)
    pairs = [["red", "old"], ["old", "red"], ["new", "blue"]]
    rows = [row | {"attributes": pairs[i % 2]} for i, row in enumerate(_regions(made))]
    need = {pair[0]: 25 - sum(row["attributes"][0] == pair[0] for row in rows) for pair in pairs[:2]}
    rows += [rows[k] | {"attributes": pair} for k, pair in enumerate(pairs[:2]) for _ in range(need[pair[0]])]
    rows += [rows[0] | {"attributes": pairs[2]}] * 24
    made.write("aro/visual_genome_attribution.json", rows)
    for file, folder in (("coco", "val2014"), ("flickr30k", "flickr30k-images")):
        stem = "val2014/" if file == "coco" else ""
        asked = questions(made, f"aro/{folder}", lambda n: f"{n}.jpg", false=4)
        lines = [{"image": stem + image, "caption_options": [text, *wrong]} for image, text, wrong in asked]
        made.lines(f"aro/{file}_order.jsonl", lines)


def _controlled(places: tuple[str, ...], number: int) -> str:
    return f"mug{number // 4}_{places[number % 4]}_table.jpeg"


def whatsup(made: Made) -> None:
    """The loader's `root_dir`: six tables, and four folders of photos beside them."""
    for place, lines in (("controlled_images", ("on", "under")), ("controlled_clevr", ("in-front_of", "behind"))):
        places = ("left_of", "right_of", *lines)  # four photos of the same two things are a set
        name = partial(_controlled, places)
        asked = questions(made, f"whatsup/{place}", name, false=3)
        rows = [{"image_path": f"data/{place}/{image}", "caption_options": [t, *wrong]} for image, t, wrong in asked]
        made.write(f"whatsup/{place}_dataset.json", rows)
    for kind, folder in (("coco", "val2017"), ("vg", "vg_images")):
        for many in ("one", "two"):
            name = coco if kind == "coco" else (lambda n: f"{n}.jpg")
            asked = questions(made, f"whatsup/{folder}", name)
            made.write(
                f"whatsup/{kind}_qa_{many}_obj.json",
                [[int(image.removesuffix(".jpg")), text, wrong] for image, text, (wrong,) in asked],
            )


def negbench(made: Made) -> None:
    """`data/images` of a clone holds the tables; the photos are those of COCO and VOC, by paths on another machine."""
    voc = "voc2007/VOCdevkit/VOC2007/JPEGImages"
    for file, folder, name in (("COCO_val", "coco/val2017", coco), ("VOC2007", voc, lambda n: f"{n:06d}.jpg")):
        rows = []
        for i, (image, text, wrong) in enumerate(questions(made, folder, name, false=3)):
            answer = i % 4 if made.trouble else 0
            options = [*wrong[:answer], text, *wrong[answer:]]
            row: dict[str, Any] = {"image_path": f"/data/of/authors/{image}"}
            row |= {f"caption_{k}": option for k, option in enumerate(options)}
            rows.append(row | {"correct_answer": answer, "correct_answer_template": TEMPLATES[i % 3]})
        made.table(f"negbench/data/images/{file}_mcq_llama3.1_rephrased.csv", rows)


def crepe(made: Made) -> None:
    """The archive's tree, a file a complexity; photos in Visual Genome's first folder."""
    box = dict(zip(("x", "y", "width", "height"), BOX))
    for kind in ("atom", "swap", "negate"):
        asked = questions(made, "vg/VG_100K", lambda n: f"{n}.jpg", false=5, box=BOX)
        rows = [
            {"image_id": image.removesuffix(".jpg"), "caption": text, "hard_negs": repr(wrong), **box}
            for image, text, wrong in asked
        ]
        for n, own in ((4, rows[::2]), (12, rows[1::2])):
            made.table(f"crepe/prod_hard_negatives/{kind}/prod_vg_hard_negs_{kind}_complexity_{n}.csv", own)


def crepe_systematicity(made: Made) -> None:
    """Columns of three kinds of false captions; `combined` is both, and a row may have none of a kind."""
    box = dict(zip(("x", "y", "width", "height"), BOX))
    for trained in ("cc12m", "yfcc", "laion"):
        for split in ("seen", "unseen"):
            rows = []
            asked = questions(made, "vg/VG_100K", lambda n: f"{n}.jpg", false=4, box=BOX)
            for k, (image, text, wrong) in enumerate(asked):
                row: dict[str, Any] = {"image_id": image.removesuffix(".jpg"), "caption": text, **box}
                row["valid_hard_negs_atom"] = repr(wrong[:2])
                row["valid_hard_negs_comp"] = repr([] if made.trouble and k == 2 else wrong[2:])
                rows.append(row | {"valid_hard_negs_combined": repr(wrong)})
            made.table(f"crepe/syst_hard_negatives/syst_vg_hard_negs_{split}_compounds_in_{trained}.csv", rows)


def conme(made: Made) -> None:
    for kind in ("att", "obj", "rel"):
        asked = questions(made, "val2017", coco)
        rows = [
            {"image": image, "question": "what?", "correct_option": text, "incorrect_option": wrong}
            for image, text, (wrong,) in asked
        ]
        made.table(f"conme/replace-{kind}_HUMAN_FILTER.csv", rows)


# Paths and folders of photos as corpus/v1/**/*.yaml names them (ANNO_PATH, IMG_ROOT), photos as its rows call them:
# hake's lie in folders of their sources, swig's in none.
CHECKLIST_PHOTOS: dict[str, tuple[str, Name]] = {
    "hake": ("hake", lambda n: f"hico_20160224_det/images/train2015/HICO_train2015_{n:08d}.jpg"),
    "swig": ("swig", lambda n: f"calling_{n}.jpg"),
    "vg": ("vg", lambda n: f"VG_100K{'_2' * (n % 2)}/{n}.jpg"),
}
CHECKLIST = [
    *[
        (f"Object/{kind}/{source}_{kind.lower()}/{folder}{file}_{leaf}", source)
        for kind, leaves in (("Location", ("center", "mid", "margin")), ("Size", ("large", "medium", "small")))
        for leaf in leaves
        for source, folder, file in (
            *(("hake", "", "hake_obj"), ("vg", "", "vg_obj"), ("vg", "", "vg_subj")),
            *(("swig", f"swig_{part}/", f"swig_{part}") for part in ("agent", "destination", "item", "tool")),
        )
    ],
    *[
        (f"Attribute/{s}/{leaf}", "vg")
        for leaf in ("action", "color", "material", "size", "state")
        for s in ("vg", "vaw")
    ],
    *[("Relation/hake_action", "hake"), ("Relation/swig_action", "swig")],
    *[("Relation/vg/action", "vg"), ("Relation/vg/spatial", "vg")],
]


def vl_checklist(made: Made) -> None:
    for k, (file, source) in enumerate(CHECKLIST):
        if made.trouble and k % 5 == 1:
            made.write(f"vl_checklist/data/{file}.json", [])  # the release holds empty lists too
            continue
        folder, name = CHECKLIST_PHOTOS[source]
        rows = [
            [image, {"POS": [text, "x"], "NEG": [wrong, "y"]}]
            for image, text, (wrong,) in questions(made, folder, name)
        ]
        made.write(f"vl_checklist/data/{file}.json", json.loads(json.dumps(rows)))
    for size in ("large", "medium", "small"):  # lies there, belongs to no corpus
        made.write(f"vl_checklist/data/Object/Size/swig_size/swig_place/swig_place_{size}.json", [])


def hard_positives(made: Made) -> None:
    """The paraphrase stands in a second table, row by row; the first table's negative differs in one row in three."""
    tables = {"visual_genome_attribution": "aro/images", "vl_checklist_attributes": "vg/VG_100K_2"}
    for file, folder in (tables | {"vl_checklist_relations": "vg/VG_100K"}).items():
        swap = file.startswith("visual")
        box = dict(zip(("bbox_x", "bbox_y", "bbox_w", "bbox_h"), BOX)) if swap else {}
        stem = "" if swap else f"data/{folder.split('/')[1]}/"
        first, second = [], []
        asked = questions(made, folder, lambda n: f"{n}.jpg", box=BOX if swap else None)
        for i, (image, text, (wrong,)) in enumerate(asked):
            row = {"image_id": str(i), "image_path": stem + image, **box}
            other = made.false() if i % 3 == 2 else wrong
            first.append(row | {"true_caption": text, "false_caption": other})
            second.append(row | {"true_caption": made.true(*made.fits[text]), "false_caption": wrong})
        if made.trouble:
            first.append(first[0])
            second.append(second[0])
        made.write(f"hard_positives/data/{file}.json", first)
        made.write(f"hard_positives/swapped_data/{file}.json", second)


def half_truths(made: Made) -> None:
    """The hub's tables, a file a source: three texts, the image inside."""
    columns = ("id", "image", "triplet_type", "anchor", "half_truth", "full_truth")
    for source in ("coco_qwen", "coco_mistral", "cc3m_qwen"):
        rows, whole = [], {}
        for i, (image, text, (wrong,)) in enumerate(questions(made, "photos", lambda n: f"{n}.jpg")):
            full = whole.setdefault(text, made.true(*made.fits[text]))
            kind = ("entity", "relation")[i % 2]
            rows.append((f"{source}-{i}", made.root / "photos" / image, kind, text, wrong, full))
        parquet(made, f"half_truths/data/{source}.parquet", columns, rows)


def colorfoil(made: Made) -> None:
    """COCO's captions: the first that names a colour counts, where there is one; the tables stand in any order."""
    photos: list[dict[str, Any]] = []
    told: list[dict[str, Any]] = []
    known: dict[tuple[str, str], dict[str, Any]] = {}
    asked = questions(made, "coco/val2017", coco)
    if made.trouble:  # no caption says again what its foil says, so ties are left to chance
        asked += [(asked[0][0], made.true(*made.fits[asked[0][1]]), []) for _ in range(30)]
    for image, text, _ in asked:
        if (image, text) in known:
            photos.append(known[image, text])
            continue
        number = len(told)
        caption = f"a {('red', 'gray', 'salmon')[number % 3]} cup, {text}"
        made.fits[caption] = made.fits[text]
        photos.append(known.setdefault((image, text), {"id": number, "file_name": image}))
        told += [{"image_id": number, "caption": f"no cup, {text}"}] * (number % 2)
        told += [{"image_id": number, "caption": caption}, {"image_id": number, "caption": f"blue, {text}"}]
    photos.insert(1, {"id": len(told), "file_name": "without.jpg"})
    told.append({"image_id": len(told), "caption": "a red, and no colour that stands alone"})
    made.write("coco/annotations/captions_val2017.json", {"images": photos, "annotations": told})


def negbench_more(made: Made) -> None:
    """Made pictures by their names, X-ray images by patient, study and view."""
    rows = []
    for i, (image, text, wrong) in enumerate(questions(made, "negbench/synthetic", lambda n: f"{n}.png", false=3)):
        options = [*wrong[: i % 4], text, *wrong[i % 4 :]]
        row: dict[str, Any] = {"image_path": f"/data/of/authors/{image}", "correct_answer": i % 4}
        row |= {f"caption_{k}": option for k, option in enumerate(options)}
        rows.append(row | {"correct_answer_template": TEMPLATES[i % 3]})
    made.table("negbench/data/images/synthetic_mcq_llama3.1_rephrased.csv", rows)
    for file in ("chexpert_binary_mcq", "chexpert_binary_mcq_control"):
        rows = []
        name: Name = lambda n: f"patient{n}/study1/view1_frontal.jpg"  # noqa: E731
        for i, (image, text, (wrong,)) in enumerate(questions(made, "chexpert/valid", name)):
            row = {"image_path": f"/data/CheXpert-v1.0-small/valid/{image}", "correct_answer": i % 2}
            rows.append(row | dict(zip(("caption_0", "caption_1"), (text, wrong) if i % 2 == 0 else (wrong, text))))
        made.table(f"negbench/data/images/{file}.csv", rows)
