"""The benchmarks by name; one line each."""

from compoclip.evaluation.task import Task
from compoclip.evaluation.tasks import retrieval, sugarcrepe, world, zeroshot

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        world.TASK,
        sugarcrepe.TASK,
        retrieval.TASK,
        zeroshot.TASK,
    )
}
