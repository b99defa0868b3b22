"""Training: batches to features to terms to steps to checkpoints."""

from compoclip.training.loop import train

__all__ = ["train"]
