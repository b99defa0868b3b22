"""The benchmarks by name; one line each."""

from compoclip.evaluation.task import Task
from compoclip.evaluation.tasks import (
    aro,
    bivlc,
    choices,
    elevater,
    hard_positives,
    linear_probe,
    retrieval,
    sugarcrepe,
    sugarcrepe_pp,
    two_by_two,
    valse,
    vl_checklist,
    which_image,
    world,
    zeroshot,
)

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        world.TASK,
        sugarcrepe.TASK,
        retrieval.TASK,
        *elevater.TASKS,
        zeroshot.TASK,
        aro.TASK,
        valse.TASK,
        sugarcrepe_pp.TASK,
        *choices.TASKS,
        *which_image.TASKS,
        vl_checklist.TASK,
        *two_by_two.TASKS,
        bivlc.TASK,
        hard_positives.TASK,
        linear_probe.TASK,
    )
}
