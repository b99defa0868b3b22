"""SugarCrepe (Hsieh et al. 2023), whose sizes weigh its published average."""

from compoclip.evaluation.aggregate import SIZES
from compoclip.evaluation.benchmark import benchmark

TASK = benchmark("sugarcrepe", parts=SIZES)
