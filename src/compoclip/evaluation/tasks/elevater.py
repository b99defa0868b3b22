"""ELEVATER: zero-shot recognition on its 20 sets, each by its own metric."""

from compoclip.evaluation.aggregate import ELEVATER
from compoclip.evaluation.benchmark import benchmark

TASK = benchmark("elevater", sets=[name for name in ELEVATER if name != "imagenet-1k"])
