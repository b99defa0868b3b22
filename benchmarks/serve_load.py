"""A thousand requests to `compoclip serve` on loopback, hostile ones among them: latency, memory, and what came back.

    python benchmarks/serve_load.py --requests 1000

Starts the server on a free port of this machine, asks it from four threads, and ends it. Exits 1 where a request was
answered with another status than it should, a plain one took longer than a second for each thread at the median (the
model answers one at a time), a file was left behind, or memory kept growing.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from PIL import Image

from compoclip.data.world import composition_item, draw

ITEM = composition_item("swap-attribute", 0, 3)
MIB = 2**20


def picture(format: str = "PNG", size: int | None = None) -> bytes:
    image = Image.fromarray(draw(ITEM.scene))
    out = io.BytesIO()
    (image if size is None else image.resize((size, size))).save(out, format)
    return out.getvalue()


def bomb() -> bytes:
    """30,000 x 30,000 pixels claimed by a few kilobytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")

    head = (30_000).to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(10**6))) + chunk(b"IEND", b"")
    )


PLAIN, PHOTO, BOMB = picture(), picture("JPEG", 1500), bomb()
POLYGLOT = picture("GIF") + b"<script>alert('polyglot')</script>"
SCRIPT = "<script>alert(1)</script>"
CAPTIONS = f"{ITEM.caption}\n{ITEM.negative}"


def post(client: httpx.Client, image: bytes, captions: str = CAPTIONS) -> httpx.Response:
    return client.post("/", files={"image": ("a.png", image)}, data={"captions": captions})


def huge(client: httpx.Client) -> httpx.Response:
    """100 MiB without a length; the server may hang up before all of it is sent."""

    def chunks():
        yield b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
        for _ in range(100):
            yield bytes(MIB)

    try:
        return client.post("/", content=chunks(), headers={"content-type": "multipart/form-data; boundary=x"})
    except httpx.HTTPError:
        return httpx.Response(413)


KINDS = {  # name -> (how often in a hundred, request, statuses that are right)
    "plain": (40, lambda c: post(c, PLAIN), {200}),
    "page": (30, lambda c: c.get("/"), {200}),
    "photo": (8, lambda c: post(c, PHOTO), {200}),
    "script": (6, lambda c: post(c, PLAIN, SCRIPT), {200}),
    "polyglot": (5, lambda c: post(c, POLYGLOT), {200, 400}),
    "path": (5, lambda c: c.get("/static/..%2f..%2f..%2fetc/passwd"), {404}),
    "bomb": (4, lambda c: post(c, BOMB), {400}),
    "huge": (2, huge, {413}),
}


def resident(process: int) -> float:
    """MiB of a process."""
    text = Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--requests", type=int, default=1000)
    options.add_argument("--threads", type=int, default=4)
    chosen = options.parse_args()
    order = [name for name, (share, *_) in KINDS.items() for _ in range(share)]
    names = [order[(i * 37) % len(order)] for i in range(min(chosen.requests, 10_000))]
    with tempfile.TemporaryDirectory() as scratch:
        command = [
            sys.executable,
            "-m",
            "compoclip",
            "serve",
            "tiny",
            "--base",
            "tiny",
            "--port",
            "0",
            "--rate",
            "1000000",
        ]
        environment = {**os.environ, "TMPDIR": scratch}
        server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
        try:
            line = next(line for line in server.stderr if "http://" in line)
            address = re.search(r"http://\S+", line)[0].rstrip("/")
            fine = ask_all(address, names, chosen.threads, server.pid)
            left = [p.name for p in Path(scratch).rglob("*") if p.is_file()]
            print(f"files left behind: {left or 'none'}")
        finally:
            server.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(10)
    sys.exit(0 if fine and not left else 1)


def ask_all(address: str, names: list[str], threads: int, server: int) -> bool:
    seconds: dict[str, list[float]] = {name: [] for name in KINDS}
    wrong: Counter[str] = Counter()
    memory = []

    def one(name: str) -> None:
        _, request, right = KINDS[name]
        with httpx.Client(base_url=address, timeout=60) as client:
            started = time.perf_counter()
            response = request(client)
            seconds[name].append(time.perf_counter() - started)
            if response.status_code not in right:
                wrong[f"{name}: {response.status_code}"] += 1
            if name != "page" and any(text in response.text for text in ("<script>alert", "root:")):
                wrong[f"{name}: leak"] += 1

    started = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        for number, _ in enumerate(pool.map(one, names)):
            if number % 100 == 99:
                memory.append(resident(server))
    for name, values in seconds.items():
        if values:
            middle, slow = statistics.median(values), sorted(values)[int(0.95 * len(values))]
            print(
                f"{name:9} {len(values):5} requests, median {middle * 1000:6.0f} ms, 95 % below {slow * 1000:6.0f} ms"
            )
    whole = time.perf_counter() - started
    print(f"{len(names)} requests in {whole:.0f} s from {threads} threads; wrong: {dict(wrong) or 'none'}")
    print("memory of the server, MiB, every 100 requests: " + " ".join(f"{value:.0f}" for value in memory))
    grown = memory[-1] - memory[len(memory) // 2] if len(memory) > 3 else 0.0
    return not wrong and statistics.median(seconds["plain"]) < threads and grown < 100


if __name__ == "__main__":
    main()
