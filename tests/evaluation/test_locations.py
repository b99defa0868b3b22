"""Official trees whose images lie in several places, and the names of those that are absent."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from tests.evaluation.fakes import RandomModel, picture, png, write, write_tar

from compoclip.errors import InputError
from compoclip.evaluation import evaluate
from compoclip.evaluation.locations import Finder, find_images, noting_absent
from compoclip.evaluation.task import DataMissing

PHOTO = png(picture(3))
HEAD = "image_id,caption,hard_negs,x,y,width,height\n"


def counts(task: str, root: Path) -> dict[str, tuple[int, int]]:
    subsets = evaluate(RandomModel(), task, root, controls=False)["tasks"][task]["subsets"]
    return {name: (s["n"], s["missing"]) for name, s in subsets.items()}


def test_whatsups_own_tree(tmp_path: Path) -> None:
    root = tmp_path / "whatsup" / "data"
    write(root / "controlled_images_dataset.json", [
        {"image_path": "data/controlled_images/mug_on_chair.jpeg", "caption_options": ["a", "b", "c", "d"]},
    ])  # fmt: skip
    write(root / "coco_qa_one_obj.json", [[1, "a", "b"], [2, "a", "b"]])
    write(root / "vg_qa_one_obj.json", [[1, "a", "b"]])
    write(root / "controlled_images" / "mug_on_chair.jpeg", PHOTO)
    write(root / "val2017" / "000000000001.jpg", PHOTO)
    write(tmp_path / "coco" / "val2017" / "000000000002.jpg", PHOTO)  # what `data get coco-val2017` leaves
    write(tmp_path / "vg" / "VG_100K_2" / "1.jpg", PHOTO)
    (tmp_path / "vg" / "VG_100K").mkdir()
    assert counts("whatsup", tmp_path) == {"WhatsUp_A": (1, 0), "COCO_QA_ONE": (2, 0), "VG_QA_ONE": (1, 0)}


@pytest.mark.parametrize("base", ["whatsup", "whatsup/data", "whatsup_vlms/data"])
def test_whatsups_photos_beside_its_tables_in_folders_and_tars(base: str, tmp_path: Path) -> None:
    """As `data get` asks for them, and as a clone of the project keeps them; a row's path begins one folder up."""
    for file, photo in (("controlled_images", "mug_on_chair"), ("controlled_clevr", "book_left_of_cup")):
        row = {"image_path": f"data/{file}/{photo}.jpeg", "caption_options": ["a", "b", "c", "d"]}
        write(tmp_path / base / f"{file}_dataset.json", [row])
    write(tmp_path / base / "controlled_images" / "mug_on_chair.jpeg", PHOTO)
    write_tar(tmp_path / base / "controlled_clevr.tar", {"controlled_clevr/book_left_of_cup.jpeg": PHOTO})
    assert counts("whatsup", tmp_path) == {"WhatsUp_A": (1, 0), "WhatsUp_B": (1, 0)}


SQUARE = {"caption0": "a", "caption1": "b"}


def eqben_row(image: str) -> dict[str, str]:
    return {"image0": image.format(0), "image1": image.format(1), **SQUARE}


def eqben(root: Path) -> dict[str, tuple[int, int]]:
    return counts("eqben", root)


def test_eqbens_light_release_has_other_suffixes(tmp_path: Path) -> None:
    rows = [eqben_row("eqbensd/{}.png"), eqben_row("eqbengebc/x/{}.png"), eqben_row("eqbenkubric_loc/{}.png")]
    write(tmp_path / "eqben" / "eqben.json", rows)
    for k in (0, 1):
        write(tmp_path / f"eqben/images/eqbensd/{k}.jpg", PHOTO)
        write(tmp_path / f"eqben/images/eqbengebc/x/{k}.png", PHOTO)
    assert eqben(tmp_path) == {"eqbensd": (1, 0), "eqbengebc": (1, 0), "eqbenkubric_loc": (0, 1)}


def test_eqbens_rows_by_video_and_subject(tmp_path: Path) -> None:
    """As the project's loaders (src/eqben/eqben_utils.py) read each subset: ag by video and subject, gebc by video."""
    listed = {"image0": "eqbenag/v/0.png", "image1": "eqbenag/v/1.png", "caption0": ["a", "x"], "caption1": ["b"]}
    table = {"v": {"person": [listed]}, "w": [eqben_row("eqbengebc/w/{}.png")] * 2}
    write(tmp_path / "eqben" / "eqben.json", table)
    for k in (0, 1):
        write(tmp_path / f"eqben/images/eqbenag/v/{k}.png", PHOTO)
        write(tmp_path / f"eqben/images/eqbengebc/w/{k}.png", PHOTO)
    assert eqben(tmp_path) == {"eqbenag": (1, 0), "eqbengebc": (2, 0)}


@pytest.mark.parametrize(
    ("file", "folder"),
    [
        ("eqben/eqben_subset_10percent_final.json", "eqben/image_subset"),
        ("eqben/eqben_vllm/all_select.json", "eqben/eqben_vllm/images"),
        ("eqben_vllm/all_select.json", "eqben_vllm/images"),
    ],
)
def test_eqbens_other_releases_are_called_what_they_are(file: str, folder: str, tmp_path: Path) -> None:
    write(tmp_path / file, [eqben_row("eqbensd/{}.png")])
    for k in (0, 1):
        write(tmp_path / folder / f"eqbensd/{k}.png", PHOTO)
    entry = evaluate(RandomModel(), "eqben", tmp_path, controls=False)["tasks"]["eqben"]
    assert entry["subsets"]["eqbensd"]["n"] == 1
    assert entry["rule"] == "group, Kubric averaged first (1 of 251,048 rows)"


def test_eqbens_shuffled_release_is_refused_in_words(tmp_path: Path) -> None:
    rows = [{"image": "eqbensd/0.png", "caption": "a"}]
    write(tmp_path / "eqben" / "ann_json_finegrained_random.json", rows)
    with pytest.raises(InputError, match="take the public annotation"):
        evaluate(RandomModel(), "eqben", tmp_path)


def test_crepes_own_tree_is_pooled_over_complexities(tmp_path: Path) -> None:
    tree = tmp_path / "crepe" / "prod_hard_negatives"
    for kind, levels in {"atom": (4, 12), "swap": (5,)}.items():
        for n in levels:
            file = tree / kind / f"prod_vg_hard_negs_{kind}_complexity_{n}.csv"
            write(file, HEAD + f"{n},a,\"['b', 'c']\",0,0,2,2\n")
    write(tree / "atom" / "prod_vg_hard_negs_atom_complexity_13.csv", HEAD + "9,a,\"['b']\",0,0,2,2\n")
    for folder, names in {"VG_100K": (4, 5), "VG_100K_2": (12,)}.items():
        for n in names:
            write(tmp_path / "vg" / folder / f"{n}.jpg", PHOTO)
    assert counts("crepe", tmp_path) == {"atom": (2, 0), "swap": (1, 0)}
    (tmp_path / "vg" / "VG_100K_2" / "12.jpg").unlink()
    assert counts("crepe", tmp_path) == {"atom": (1, 1), "swap": (1, 0)}


def test_valse_takes_each_source_where_it_lies(tmp_path: Path) -> None:
    rows = {str(i): {"image_file": name, "caption": "a", "foil": "b", "mturk": {"caption": 3}}
            for i, name in enumerate(("v7w_1.jpg", "COCO_val2014_2.jpg", "riding_3.jpg", "gone.jpg"))}  # fmt: skip
    write(tmp_path / "valse" / "existence.json", rows)
    for name in ("valse/images/v7w_1.jpg", "coco/val2014/COCO_val2014_2.jpg", "swig/images_512/riding_3.jpg"):
        write(tmp_path / name, PHOTO)
    assert counts("valse", tmp_path) == {"existence": (3, 1)}


def test_spec_as_its_archive_unpacks(tmp_path: Path) -> None:
    folder = tmp_path / "spec" / "data" / "count"
    write(folder / "image2text.json", [{"query": "images/0.png", "keys": ["a", "b"], "label": 1}])
    write(folder / "images" / "0.png", PHOTO)
    assert counts("spec", tmp_path) == {"count::i2t": (1, 0)}


def test_imagecodes_archive_is_read_in_place(tmp_path: Path) -> None:
    table = {"video-1": {"0": "x", "9": "y"}, "open-images-2": {"3": "z"}, "video-gone": {"1": "w"}}
    write(tmp_path / "imagecode" / "valid_data.json", table)
    with zipfile.ZipFile(tmp_path / "imagecode" / "image-sets.zip", "w") as archive:
        for folder in ("video-1", "open-images-2"):
            for k in range(1, 11):
                archive.writestr(f"image-sets/{folder}/img{k}.jpg", png(picture(k)))
    zipped = evaluate(RandomModel(), "imagecode", tmp_path, log_samples=True)
    assert counts("imagecode", tmp_path) == {"videos": (2, 1), "static": (1, 0)}
    last = next(row for row in zipped["samples"] if row["captions"] == ["y"])
    assert last["images"][0].endswith("video-1/img10.jpg")
    with zipfile.ZipFile(tmp_path / "imagecode" / "image-sets.zip") as archive:
        archive.extractall(tmp_path / "other" / "imagecode")
    write(tmp_path / "other" / "imagecode" / "valid_data.json", table)
    plain = evaluate(RandomModel(), "imagecode", tmp_path / "other", log_samples=True)
    assert plain["summary"] == zipped["summary"]


def test_every_place_that_holds_an_image(tmp_path: Path) -> None:
    write(tmp_path / "a" / "1.jpg", PHOTO)
    write_tar(tmp_path / "b.tar", {"x/2.jpg": PHOTO})
    wanted = ["1.jpg", "2.jpg", "3.jpg"]
    both = find_images("t", tmp_path, ("none", "a", "b"), wanted)
    with noting_absent() as names:
        find = Finder(both)
        assert [find(name) is not None for name in (*wanted, "3.jpg")] == [True, True, False, False]
    assert list(names) == ["3.jpg"]
    Finder(both)("4.jpg")  # nobody listens any more
    assert list(names) == ["3.jpg"]
    with pytest.raises(DataMissing, match=r"t: no image such as 9.jpg found; .*/none, .*/VG_\*"):
        find_images("t", tmp_path, ("none", "VG_*"), ["9.jpg"])
