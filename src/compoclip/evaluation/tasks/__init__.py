"""The benchmarks by name, in the order of tables; a new one is `NAME.yaml` here, with `NAME.py` where it takes code."""

from importlib import import_module, util

from compoclip.evaluation.benchmark import benchmark
from compoclip.evaluation.task import Task

NAMES = (
    *("world", "sugarcrepe", "retrieval", "multilingual_retrieval", "long_captions"),
    *("elevater", "imagenet", "imagenet_robustness", "vtab", "stl10", "degla_zeroshot", "zeroshot"),
    *("aro", "valse", "sugarcrepe_pp", "whatsup", "negbench", "crepe", "crepe_systematicity", "conme", "svo_probes"),
    *("imagecode", "spec", "vl_checklist", "mmvp_vlm", "winoground", "colorswap", "eqben", "vismin", "cola"),
    *("coco_counterfactuals", "bivlc", "hard_positives", "half_truths", "colorfoil", "negrefcocog"),
    *("negbench_more", "negbench_retrieval", "linear_probe"),
)


def _task(name: str) -> Task:
    module = f"{__name__}.{name}"
    return import_module(module).TASK if util.find_spec(module) else benchmark(name)


TASKS: dict[str, Task] = {name: _task(name) for name in NAMES}
