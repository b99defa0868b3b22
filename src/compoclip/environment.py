"""Versions and machine, as run directories, results and bug reports record them."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "torchvision", "open_clip_torch", "transformers", "timm", "peft", "spacy", "numpy", "pillow")


def environment() -> dict[str, Any]:
    """{compoclip, python, platform, machine, cpus, threads, gpu, packages, command}; packages that are not there are
    left out, and `gpu` is None without CUDA."""
    import torch

    from compoclip import __version__

    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "compoclip": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "packages": versions,
        "command": " ".join([_program(), *sys.argv[1:]]),
    }


def _program() -> str:
    name = Path(sys.argv[0]).name
    return "compoclip" if name == "__main__.py" else name  # python -m compoclip, under torchrun too
