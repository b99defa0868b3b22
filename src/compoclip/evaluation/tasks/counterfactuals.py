"""COCO-Counterfactuals (Le et al. 2023): two generated images and captions a row, and all of them to search."""

from __future__ import annotations

from collections.abc import Callable

from compoclip.evaluation.forms import Retrieval, TwoByTwo
from compoclip.evaluation.pictures import Picture
from compoclip.evaluation.task import Average, Loaded, Request, Task
from compoclip.evaluation.tasks.two_by_two import Layout, image_places, loader, places_of

Load = Callable[[Request], Loaded]


def also_searched(name: str, load: Load) -> Load:
    """The rows of `load`, and their pictures and captions as one retrieval set `name` beside them."""

    def both(request: Request) -> Loaded:
        loaded = load(request)
        captions: dict[str, tuple[Picture, list[str]]] = {}
        for subset in loaded.subsets:
            assert isinstance(subset, TwoByTwo)
            for picture, text in ((p, t) for two in zip(subset.images, subset.texts) for p, t in zip(*two)):
                own = captions.setdefault(picture.key, (picture, []))[1]
                if text not in own:
                    own.append(text)
        found = list(captions.values())
        missing = 2 * sum(subset.missing for subset in loaded.subsets)
        rule = request.ties or "strict"
        searched = Retrieval(name, [p for p, _ in found], [t for _, t in found], missing=missing, rule=rule)
        loaded.subsets += [searched] if found else []
        return loaded

    return both


def averages(counts: dict[str, int]) -> dict[str, Average]:
    ways = {way: Average({name: 1.0}) for way in ("i2t", "t2i") if (name := f"coco_counterfactuals/{way}") in counts}
    return {"group": Average({"all": 1.0}), **ways}


TASK = Task(
    name="coco_counterfactuals",
    title="COCO-Counterfactuals: two generated images whose captions differ in one noun",
    source="https://huggingface.co/datasets/Intel/COCO-Counterfactuals",
    licence="CC BY 4.0",
    size="17,410 rows",
    chance="25 text, 25 image, 16.7 group; retrieval 1 / images",
    rule="strict; score: group; beside it retrieval over all its images and captions, as FSC-CLIP averages it",
    citation="Le et al., COCO-Counterfactuals: Automatically Constructed Counterfactual Examples, NeurIPS 2023",
    version="1",
    needs="DIR/coco_counterfactuals/data/examples.jsonl and data/images.zip",
    load=also_searched(
        "coco_counterfactuals",
        loader(
            Layout(
                "coco_counterfactuals",
                places_of("coco_counterfactuals"),
                ("examples.jsonl",),
                image_places("coco_counterfactuals"),
                ("image_0", "image_1", "caption_0", "caption_1"),
                lambda row: "all",
                suffix=".jpg",
            )
        ),
    ),
    averages=averages,
)
