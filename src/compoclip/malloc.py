"""Memory that is freed and wanted again a moment later stays with the process.

glibc gives every block above 32 MiB, and the top of its heap, back to the system as soon as it is freed, and the next
batch pays a page fault for each 4 KiB of it. Convolutional towers, whose feature maps are that large, spend more time
on faults than on arithmetic. `MALLOC_MMAP_MAX_=0` and `MALLOC_TRIM_THRESHOLD_` do the same from outside.
"""

from __future__ import annotations

import ctypes
import os
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h


def keep_freed_memory() -> bool:
    """Tell glibc to keep what is freed; whether it took it. Nothing happens elsewhere, or where the user has chosen."""
    chosen = any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ)
    if chosen or not sys.platform.startswith("linux"):
        return False
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018  musl has none, and its mallopt does nothing
        return bool(library.mallopt(M_MMAP_MAX, 0)) and bool(library.mallopt(M_TRIM_THRESHOLD, -1))
    except (OSError, AttributeError):
        return False


def give_back() -> bool:
    """Give the system the whole pages that lie free among what is kept; whether glibc did. A matter of milliseconds.

    Blocks of samples come and go for days, and each leaves other gaps: without this the heap grows by a mebibyte or so
    every 10,000 samples, at the same number of bytes in use.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (OSError, AttributeError):
        return False
