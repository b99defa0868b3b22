"""The benchmarks by name; one line each."""

from compoclip.evaluation.task import Task
from compoclip.evaluation.tasks import (
    aro,
    choices,
    retrieval,
    sugarcrepe,
    sugarcrepe_pp,
    two_by_two,
    valse,
    world,
    zeroshot,
)

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        world.TASK,
        sugarcrepe.TASK,
        retrieval.TASK,
        zeroshot.TASK,
        aro.TASK,
        valse.TASK,
        sugarcrepe_pp.TASK,
        *choices.TASKS,
        *two_by_two.TASKS,
    )
}
