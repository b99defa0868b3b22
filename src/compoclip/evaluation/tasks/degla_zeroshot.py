"""Zero-shot recognition on the eleven sets that DeGLA prints, by plain accuracy."""

from compoclip.evaluation.aggregate import DEGLA_SETS, DEGLA_TASK
from compoclip.evaluation.benchmark import benchmark

TASK = benchmark(DEGLA_TASK, sets=DEGLA_SETS)
