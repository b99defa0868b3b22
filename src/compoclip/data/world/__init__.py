"""The built-in world: scenes of coloured shapes, drawn by code, with captions that are true or false of them.

Everything is a pure function of (seed, index); training data and every test draw from streams of their own.
Plain NumPy, no torch.
"""

from compoclip.data.world.composition import (
    CHANCE,
    KINDS,
    Item,
    PairRow,
    composition_item,
    composition_tests,
)
from compoclip.data.world.draw import COLOURS, IMAGE_SIZE, STYLES, draw
from compoclip.data.world.half_truths import HalfTruth, half_truth, half_truths
from compoclip.data.world.scene import RELATIONS, Scene, Thing, holds
from compoclip.data.world.sets import (
    FOUR,
    FOUR_CAPTIONS,
    Captioned,
    Labelled,
    finetune_scene,
    finetune_set,
    lesson_scene,
    pretrain_batch,
    pretrain_scene,
    retrieval_set,
    zeroshot_sets,
)
from compoclip.data.world.shapes import SHAPES

__all__ = [
    "CHANCE",
    "COLOURS",
    "FOUR",
    "FOUR_CAPTIONS",
    "IMAGE_SIZE",
    "KINDS",
    "RELATIONS",
    "SHAPES",
    "STYLES",
    "Captioned",
    "HalfTruth",
    "Item",
    "Labelled",
    "PairRow",
    "Scene",
    "Thing",
    "composition_item",
    "composition_tests",
    "draw",
    "finetune_scene",
    "finetune_set",
    "half_truth",
    "half_truths",
    "holds",
    "lesson_scene",
    "pretrain_batch",
    "pretrain_scene",
    "retrieval_set",
    "zeroshot_sets",
]
