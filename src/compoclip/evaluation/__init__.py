"""Measure a model: composition, zero-shot recognition and retrieval, with intervals.

`evaluate(model, tasks)` returns results as in the contract; `aggregate(rule, individual)` averages published figures;
`TASKS` contains every benchmark with its facts.
"""

from compoclip.evaluation.aggregate import aggregate
from compoclip.evaluation.evaluate import evaluate
from compoclip.evaluation.results import individual, read_results, write_results
from compoclip.evaluation.tasks import TASKS

__all__ = ["TASKS", "aggregate", "evaluate", "individual", "list_tasks", "read_results", "write_results"]


def list_tasks() -> list[dict[str, str]]:
    """The facts of every task, for listings.

    Example: list_tasks()
    """
    return [task.facts() for task in TASKS.values()]
