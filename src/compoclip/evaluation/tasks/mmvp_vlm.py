"""MMVP-VLM: nine categories of image pairs that CLIP sees as alike."""

from __future__ import annotations

from compoclip.evaluation.paired import Layout, loader, places
from compoclip.evaluation.task import Task, plain_mean

TASK = Task(
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
            places("mmvp_vlm"),
            ("Questions.csv",),
            ("mmvp_vlm/MLLM_VLM Images", "mmvp_vlm/images", "MLLM_VLM Images"),
            ("image_0", "image_1", "text_0", "text_1"),
            lambda row: str(row["category"]),
            copied=False,
        )
    ),
    averages=lambda counts: {"group": plain_mean(counts)},
)
