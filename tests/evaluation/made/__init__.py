"""One maker a benchmark: it writes a small one in the official layout, and knows which caption fits which picture."""

from __future__ import annotations

from collections.abc import Callable

from tests.evaluation.made import captions, pictures, sets
from tests.evaluation.made.base import AGAIN, Made

Maker = Callable[[Made], None]

MAKERS: dict[str, Maker] = {
    maker.__name__: maker
    for maker in (
        *(sets.world, sets.retrieval, sets.zeroshot, sets.elevater, sets.degla_zeroshot),
        *(captions.sugarcrepe, captions.sugarcrepe_pp, captions.valse, captions.aro, captions.whatsup),
        *(
            captions.negbench,
            captions.crepe,
            captions.crepe_systematicity,
            captions.conme,
            captions.vl_checklist,
            captions.hard_positives,
        ),
        *(pictures.svo_probes, pictures.imagecode, pictures.spec, pictures.winoground, pictures.colorswap),
        *(pictures.eqben, pictures.vismin, pictures.cola, pictures.coco_counterfactuals, pictures.mmvp_vlm),
        *(pictures.bivlc, pictures.negrefcocog),
        *(captions.half_truths, captions.colorfoil, captions.negbench_more),
    )
}

__all__ = ["AGAIN", "MAKERS", "Made"]
