"""Benchmarks of two images and two captions a row: Winoground, ColorSwap, EqBen, VisMin, Cola, COCO-Counterfactuals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath

from compoclip.evaluation.task import Average, Task, plain_mean
from compoclip.evaluation.tasks.paired import Layout, loader


def mean_of(names: str) -> Callable[[dict[str, int]], dict[str, Average]]:
    return lambda counts: {names: plain_mean(counts)}


def _places(name: str, *more: str) -> tuple[str, ...]:
    return (name, f"{name}/data", *more, ".")


def _image_places(name: str, *more: str) -> tuple[str, ...]:
    return (f"{name}/images", f"{name}/data/images", *more, name, "images")


WINOGROUND = Task(
    name="winoground",
    title="Winoground: two images, two captions of the same words",
    source="https://huggingface.co/datasets/facebook/winoground (gated: accept its licence there)",
    licence="Meta Images Research: no redistribution, at most 100 images in publications",
    size="400 rows",
    chance="25 text, 25 image, 16.7 group",
    rule="strict; score: group",
    citation="Thrush et al., Winoground: Probing Models for Visio-Linguistic Compositionality, CVPR 2022",
    version="1",
    needs="DIR/winoground/data/examples.jsonl and images/ or images.zip beside it",
    load=loader(
        Layout(
            "winoground",
            _places("winoground"),
            ("examples.jsonl",),
            _image_places("winoground"),
            ("image_0", "image_1", "caption_0", "caption_1"),
            lambda row: "all",
        )
    ),
    averages=mean_of("group"),
)

COLORSWAP = Task(
    name="colorswap",
    title="ColorSwap: two images, two captions with the colours exchanged",
    source="https://github.com/Top34051/colorswap, huggingface.co/datasets/stanfordnlp/colorswap",
    licence="MIT",
    size="300 test rows",
    chance="25 text, 25 image, 16.7 group",
    rule="strict; score: group",
    citation="Burapacheep et al., ColorSwap: A Color and Word Order Dataset, ACL Findings 2024",
    version="1",
    needs="DIR/colorswap/data/test.json and data/images.zip or data/images/",
    load=loader(
        Layout(
            "colorswap",
            _places("colorswap"),
            ("test.json",),
            _image_places("colorswap"),
            ("image_1", "image_2", "caption_1", "caption_2"),
            lambda row: "test",
        )
    ),
    averages=mean_of("group"),
)

EQBEN = Task(
    name="eqben",
    title="EqBen: two near-identical images, two captions",
    source="https://github.com/Wangt-CN/EqBen (public annotation in Winoground's style; full, 10 % and mini)",
    licence="Apache-2.0",
    size="251,048 rows in 7 subsets (full), about 25,000 (10 %)",
    chance="25 text, 25 image, 16.7 group",
    rule="strict; score: mean of the group scores of youcook2, gebc, ag, sd and the mean of the three Kubric subsets",
    citation="Wang et al., Equivariant Similarity for Vision-Language Foundation Models, ICCV 2023",
    version="1",
    needs="DIR/eqben/eqben.json or eqben_subset_10percent_final.json, and the image tree beside it",
    load=loader(
        Layout(
            "eqben",
            _places("eqben"),
            ("eqben.json", "eqben_subset_10percent_final.json", "all_select.json"),
            _image_places("eqben"),
            ("image0", "image1", "caption0", "caption1"),
            lambda row: PurePosixPath(str(row["image0"]).replace("\\", "/")).parts[0],
            copied=False,
        )
    ),
    averages=lambda counts: {
        "group, Kubric averaged first": Average({n: 1 / 3 if "kubric" in n else 1.0 for n in counts})
    },
)

VISMIN = Task(
    name="vismin",
    title="VisMin: minimal changes of object, attribute, relation and count",
    source="https://huggingface.co/datasets/mair-lab/vismin-bench",
    licence="none stated",
    size="2,084 rows in 4 categories",
    chance="25 text, 25 image, 16.7 group",
    rule="strict; score: mean of the categories' group scores (text and image scores beside it)",
    citation="Awal et al., VisMin: Visual Minimal-Change Understanding, NeurIPS 2024",
    version="1",
    needs="DIR/vismin/test.jsonl (image_0, text_0, image_1, text_1, category) and images/ beside it",
    load=loader(
        Layout(
            "vismin",
            _places("vismin"),
            ("test.jsonl", "test.json"),
            _image_places("vismin"),
            ("image_0", "image_1", "text_0", "text_1"),
            lambda row: str(row.get("category", "all")),
        )
    ),
    averages=mean_of("mean of categories"),
)

COLA = Task(
    name="cola",
    title="Cola, multi-object: which of two images has the attributes on the right objects",
    source="https://github.com/arijitray1993/COLA (annotation), Visual Genome (photos)",
    licence="MIT (annotation)",
    size="210 rows",
    chance="25",
    rule="strict; score: image (both captions find their image)",
    citation="Ray et al., Cola: A Benchmark for Compositional Text-to-image Retrieval, NeurIPS 2023",
    version="1",
    needs="DIR/cola/COLA_multiobjects_matching_benchmark.json and images/ with the last part of each address",
    load=loader(
        Layout(
            "cola",
            _places("cola", "COLA/data"),
            ("COLA_multiobjects_matching_benchmark.json",),
            _image_places("cola", "VG_100K", "vg/VG_100K*", "vg/images"),
            ("image_0", "image_1", "caption_0", "caption_1"),
            lambda row: "multi-object",
            headline="image",
            suffix=".jpg",
        )
    ),
    averages=mean_of("image"),
)

COUNTERFACTUALS = Task(
    name="coco_counterfactuals",
    title="COCO-Counterfactuals: two generated images whose captions differ in one noun",
    source="https://huggingface.co/datasets/Intel/COCO-Counterfactuals",
    licence="CC BY 4.0",
    size="17,410 rows",
    chance="25 text, 25 image, 16.7 group",
    rule="strict; score: group",
    citation="Le et al., COCO-Counterfactuals: Automatically Constructed Counterfactual Examples, NeurIPS 2023",
    version="1",
    needs="DIR/coco_counterfactuals/data/examples.jsonl and data/images.zip",
    load=loader(
        Layout(
            "coco_counterfactuals",
            _places("coco_counterfactuals"),
            ("examples.jsonl",),
            _image_places("coco_counterfactuals"),
            ("image_0", "image_1", "caption_0", "caption_1"),
            lambda row: "all",
            suffix=".jpg",
        )
    ),
    averages=mean_of("group"),
)


MMVP = Task(
    name="mmvp_vlm",
    title="MMVP-VLM: pairs of images that CLIP sees as alike",
    source="https://huggingface.co/datasets/MMVP/MMVP_VLM",
    licence="MIT (README)",
    size="135 pairs in 9 categories",
    chance="25 text, 25 image, 16.7 group",
    rule="strict; prompts 'a photo of …'; score: mean of the categories' group scores (the paper takes image)",
    citation="Tong et al., Eyes Wide Shut? Exploring the Visual Shortcomings of Multimodal LLMs, CVPR 2024",
    version="1",
    needs="DIR/mmvp_vlm/Questions.csv and 'MLLM_VLM Images/CATEGORY/ID.jpg' beside it",
    load=loader(
        Layout(
            "mmvp_vlm",
            _places("mmvp_vlm"),
            ("Questions.csv",),
            ("mmvp_vlm/MLLM_VLM Images", "mmvp_vlm/images", "MLLM_VLM Images"),
            ("image_0", "image_1", "text_0", "text_1"),
            lambda row: str(row["category"]),
            copied=False,
        )
    ),
    averages=mean_of("group"),
)

TASKS = (MMVP, WINOGROUND, COLORSWAP, EQBEN, VISMIN, COLA, COUNTERFACTUALS)
