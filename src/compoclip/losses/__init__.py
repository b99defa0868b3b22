"""Objectives as pure functions of features: no model, no optimiser, no process group."""

from compoclip.losses.features import Features
from compoclip.losses.objective import OBJECTIVES, TERMS, Objective, objective

__all__ = ["OBJECTIVES", "TERMS", "Features", "Objective", "objective"]
