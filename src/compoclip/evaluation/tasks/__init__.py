"""The benchmarks by name, in the order of tables; a new one is a file here and its name in `NAMES`."""

from importlib import import_module

from compoclip.evaluation.task import Task

NAMES = (
    *("world", "sugarcrepe", "retrieval", "multilingual_retrieval", "long_captions"),
    *("elevater", "imagenet", "imagenet_robustness", "vtab", "stl10"),
    *("degla_zeroshot", "zeroshot", "aro", "valse"),
    *(
        "sugarcrepe_pp",
        "whatsup",
        "negbench",
        "crepe",
        "crepe_systematicity",
        "conme",
        "svo_probes",
        "imagecode",
        "spec",
        "vl_checklist",
    ),
    *("mmvp_vlm", "winoground", "colorswap", "eqben", "vismin", "cola", "coco_counterfactuals", "bivlc"),
    *("hard_positives", "linear_probe"),
)
TASKS: dict[str, Task] = {task.name: task for task in (import_module(f"{__name__}.{name}").TASK for name in NAMES)}
