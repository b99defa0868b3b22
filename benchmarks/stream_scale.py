"""Start-up and memory of a stream over 1.28 million samples: 128 shards of 10,000, all of them the same made file.

    python benchmarks/stream_scale.py [--read 60000]

Prints the seconds from nothing to the first batch of 256 (tars opened, a block of 2,000 shuffled, images decoded), and
the resident size after a sixth of what is read and at its end, with the rate.
"""

from __future__ import annotations

import argparse
import io
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from compoclip.data.pixels import to_uint8
from compoclip.data.tar_stream import TarStream
from compoclip.malloc import give_back, keep_freed_memory

SHARDS, SAMPLES, BATCH = 128, 10_000, 256


def write_shard(path: Path) -> None:
    noise = np.random.default_rng(0)
    with tarfile.open(path, "w") as tar:
        for number in range(SAMPLES):
            encoded = io.BytesIO()
            Image.fromarray(noise.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(encoded, "PNG", compress_level=1)
            for name, content in (("png", encoded.getvalue()), ("txt", f"a made photo, number {number}".encode())):
                info = tarfile.TarInfo(f"{number:06d}.{name}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))


def resident() -> float:
    """MiB of this process in memory now, without the pages of files, which come and go with what others need."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 2**10


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--read", type=int, default=60_000, help="samples to read")
    chosen = parser.parse_args()
    keep_freed_memory()  # as the command line does
    give_back()  # what imports have freed, so that it is not taken for the stream's
    with tempfile.TemporaryDirectory() as folder:
        write_shard(Path(folder) / "one")
        for number in range(SHARDS):
            (Path(folder) / f"{number:05d}.tar").symlink_to("one")
        before, began = resident(), time.perf_counter()
        spec, samples = f"stream:{folder}/{{00000..{SHARDS - 1:05d}}}.tar", SHARDS * SAMPLES
        stream = TarStream(spec, BATCH, 0, to_uint8, 0, "random", epoch_samples=samples, buffer=2000)
        early = 0.0
        for number, _ in enumerate(stream.epoch(0), 1):
            if number == 1:
                print(f"{samples} samples in {SHARDS} shards: first batch after {time.perf_counter() - began:.2f} s")
            if not early and number * BATCH >= chosen.read / 6:
                early = resident() - before
            if number * BATCH >= chosen.read:
                break
        rate = number * BATCH / (time.perf_counter() - began)
        print(f"memory above start: {early:.0f} MiB after {chosen.read // 6} samples, ", end="")
        print(f"{resident() - before:.0f} MiB after {number * BATCH}; {rate:.0f} samples a second, one thread")


if __name__ == "__main__":
    main()
