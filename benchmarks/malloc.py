"""Images through a convolutional and a transformer tower, with glibc's own way of giving memory back and without.

    python benchmarks/malloc.py [--batch 64] [--repeats 5]

Each way runs in a process of its own. The seconds are of one batch: wall, user and system time, median of the repeats,
and the largest resident size of the process.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

TOWERS = ("efficientnet_lite0", "vit_base_patch32_224")
WAYS = ("as glibc comes", "freed memory kept")


def measure(tower: str, way: str, batch: int, repeats: int) -> dict[str, float]:
    from compoclip.malloc import keep_freed_memory

    if way == WAYS[1] and not keep_freed_memory():
        sys.exit("no glibc here, or MALLOC_ variables are set")
    import timm
    import torch

    torch.manual_seed(0)
    model = timm.create_model(tower, pretrained=False).eval()
    pixels = torch.randn(batch, 3, 224, 224)
    rows = []
    with torch.no_grad():
        for repeat in range(repeats + 1):
            wall, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
            model(pixels)
            after = resource.getrusage(resource.RUSAGE_SELF)
            if repeat:  # the first touches all memory in either way
                seconds = time.perf_counter() - wall
                rows.append((seconds, after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime))
    wall, user, system = (statistics.median(column) for column in zip(*rows))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"wall": wall, "user": user, "system": system, "peak": peak}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(*options.one, options.batch, options.repeats)))
        return
    for tower in TOWERS:
        found = []
        for way in WAYS:
            command = [sys.executable, __file__, "--one", tower, way]
            command += ["--batch", str(options.batch), "--repeats", str(options.repeats)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found.append(json.loads(done.stdout.splitlines()[-1]))
            numbers = "{wall:6.2f} s, user {user:6.2f}, system {system:6.2f}, peak {peak:6.0f} MiB".format(**found[-1])
            print(f"{tower:>22}, batch {options.batch}, {way}: {numbers}")
        used = [way["user"] + way["system"] for way in found]
        wall = found[0]["wall"] / found[1]["wall"]
        print(f"{tower:>22}: {used[0] / used[1]:.2f}x in CPU time, {wall:.2f}x in wall time")


if __name__ == "__main__":
    main()
