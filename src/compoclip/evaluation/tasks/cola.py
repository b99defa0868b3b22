"""Cola: two images, two captions, whose attributes are on other objects."""

from __future__ import annotations

from compoclip.evaluation.paired import Layout, image_places, loader, places
from compoclip.evaluation.task import Task, plain_mean

TASK = Task(
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
            places("cola", "COLA/data"),
            ("COLA_multiobjects_matching_benchmark.json",),
            image_places("cola", "VG_100K", "vg/VG_100K*", "vg/images"),
            ("image_0", "image_1", "caption_0", "caption_1"),
            lambda row: "multi-object",
            headline="image",
            suffix=".jpg",
        )
    ),
    averages=lambda counts: {"image": plain_mean(counts)},
)
