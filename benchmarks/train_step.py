"""One optimisation step of ViT-B-32 with hard negatives: compoclip against the plain way.

    python benchmarks/train_step.py [--quick]

The plain way runs open_clip's own `encode_image` and `encode_text` at 77 tokens on captions and negatives together.
Ours is what `compoclip train` runs: `batch_features` and the objective. Weights are random, the weights after the
compared steps start equal, and both see the same images and captions, 3 negatives a caption, under the negclip loss.
The two alternate in one process; the loss must agree to 1e-6. Peak memory is that of each way alone in a process.
"""

from __future__ import annotations

import argparse
import gc
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from compoclip.losses import objective
from compoclip.models import Model, load
from compoclip.training.optim import adamw
from compoclip.training.towers import batch_features

NEGATIVES = 3
# subject, verb, object, the rest: of the length of COCO's captions, which is 10 to 11 words
CAPTIONS = """
a man in a red jacket|is skiing past|a row of tall pine trees|
two young girls|are sharing|a slice of pizza|at a kitchen table
a large brown dog|jumps over|a wooden fence|in the back yard
an old woman with a hat|is feeding|some pigeons|near a fountain
a cyclist|waits behind|a yellow taxi|on a busy city street
the little boy|holds|a blue umbrella|while it rains
three zebras|are grazing next to|a giraffe|
a black cat|is asleep on|the keyboard of a laptop computer|
some people in suits|walk through|a train station|early in the morning
a surfer|rides|a huge green wave|close to the rocks
the chef with a white apron|is cutting|fresh vegetables|on a steel counter
a small plane|flies above|a field of yellow flowers|
one bird with a long beak|stands on|the edge of a boat|
several children|are chasing|a striped ball|across the wet grass
a bowl of ripe oranges|sits beside|a glass vase|
the tennis player|swings her racket at|the ball|during a night match
an empty wooden bench|faces|the calm lake|under a cloudy sky
a bus with two decks|turns in front of|an old stone church|
a woman in sunglasses|is taking a picture of|her lunch|with a phone
the baseball catcher|reaches for|a low pitch|as the batter looks on
a pair of brown horses|pull|a wagon full of hay|down a dirt road
a grey elephant|sprays water on|its calf|
the bathroom with green tiles|has|a round mirror|over the sink
a skateboarder without a shirt|slides along|a metal rail|
some sheep|lie in the shade of|a lonely tree|on a hill
a young couple|cut|a wedding cake with white icing|
the red fire hydrant|leans against|a brick wall covered in paint|
a teddy bear|wears|a knitted green scarf|in the shop window
a man on a ladder|is painting|the side of a house|bright blue
five kites of many colours|float over|the crowded beach|
a kitten|peeks out of|an open leather suitcase|on the bed
the motorcycle with a side car|is parked outside|a small cafe|
"""


def texts(batch: int) -> tuple[list[str], list[list[str]]]:
    """Captions and negatives of three kinds: subject and object swapped, the verb replaced, the object replaced."""
    lines = [line.split("|") for line in CAPTIONS.strip().splitlines()]
    if batch > len(lines):
        sys.exit(f"at most {len(lines)} images a step: more would repeat captions, and those are computed once")
    captions, negatives = [], []
    for i, (subject, verb, thing, rest) in enumerate(lines[:batch]):
        _, other_verb, other_thing, _ = lines[(i + 1) % len(lines)]
        wrong = ((thing, verb, subject, rest), (subject, other_verb, thing, rest), (subject, verb, other_thing, rest))
        captions.append(" ".join((subject, verb, thing, rest)).strip())
        negatives.append([" ".join(words).strip() for words in wrong])
    return captions, negatives


def plain_loss(model: Model, pixels: Tensor, captions: list[str], negatives: list[list[str]]) -> Tensor:
    """negclip with open_clip's own two calls."""
    ids = model.tokenizer([*captions, *(text for row in negatives for text in row)])
    image = model.clip.encode_image(pixels, normalize=True)
    text = model.clip.encode_text(ids, normalize=True)
    scale, target = model.clip.logit_scale.exp(), torch.arange(len(image))
    to_text = F.cross_entropy(scale * image @ text.T, target)
    return (to_text + F.cross_entropy(scale * text[: len(image)] @ image.T, target)) / 2


def our_loss(model: Model, pixels: Tensor, captions: list[str], negatives: list[list[str]]) -> Tensor:
    goal = objective("negclip")
    features = batch_features(model, pixels, captions, negatives, NEGATIVES, goal.needs)
    return torch.stack(list(goal(features).values())).sum()


WAYS: dict[str, Callable[..., Tensor]] = {"plain": plain_loss, "compoclip": our_loss}


class Side:
    """A model, its optimiser and one batch; `step` is one optimisation step: (wall seconds, CPU seconds, loss)."""

    def __init__(self, way: str, batch: int) -> None:
        self.loss = WAYS[way]
        torch.manual_seed(0)
        self.model = load("ViT-B-32:random")
        self.model.clip.train()
        self.pixels = torch.randn(batch, 3, 224, 224, generator=torch.Generator().manual_seed(1))
        self.texts = texts(batch)
        self.optimizer = adamw(self.model.clip, 1e-6, 0.1, (0.9, 0.98), 1e-6)

    def step(self) -> tuple[float, float, float]:
        started, worked = time.perf_counter(), time.process_time()
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(self.model, self.pixels, *self.texts)
        loss.backward()
        self.optimizer.step()
        return time.perf_counter() - started, time.process_time() - worked, loss.item()


def peak(way: str, batch: int, threads: int) -> float:
    """Peak resident memory in MiB of a process that takes two steps one way (the second has AdamW's moments)."""
    command = [sys.executable, __file__, "--peak-of", way, "--batch", str(batch), "--threads", str(threads)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--batch", type=int, default=32, help="images a step")
    parser.add_argument("--repeats", type=int, default=5, help="timed steps of each way")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--quick", action="store_true", help="batch 8, 2 steps each")
    parser.add_argument("--peak-of", choices=[*WAYS, "start"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.batch, options.repeats = 8, 2
    torch.set_num_threads(options.threads)

    if options.peak_of:
        side = Side("plain" if options.peak_of == "start" else options.peak_of, options.batch)
        for _ in range(0 if options.peak_of == "start" else 2):
            side.step()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10))
        return

    memory = {way: peak(way, options.batch, options.threads) for way in ("start", *WAYS)}
    sides = {way: Side(way, options.batch) for way in WAYS}
    model = sides["plain"].model
    captions, negatives = sides["plain"].texts
    lengths = model.tokenizer([*captions, *(t for row in negatives for t in row)]).argmax(dim=1) + 1
    weights = sum(p.numel() * p.element_size() for p in model.clip.parameters()) / 2**20

    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    worked: dict[str, list[float]] = {way: [] for way in WAYS}
    for repeat in range(options.repeats + 1):
        loss = {}
        for way in sorted(WAYS, reverse=repeat % 2 == 1):  # neither is always first
            gc.collect()
            wall, cpu, loss[way] = sides[way].step()
            if repeat:  # the first step of each allocates
                seconds[way].append(wall)
                worked[way].append(cpu)
        if repeat == 0:
            gap = abs(loss["plain"] - loss["compoclip"]) / abs(loss["plain"])
            print(f"loss: plain {loss['plain']:.8f}, compoclip {loss['compoclip']:.8f}, relative difference {gap:.1e}")
            if gap > 1e-6:
                sys.exit("the losses differ by more than 1e-6")
    median = {way: (statistics.median(seconds[way]), statistics.median(worked[way])) for way in WAYS}
    spread = f"{lengths.min()} to {lengths.max()} tokens (mean {lengths.float().mean():.1f})"
    print(f"ViT-B-32, batch {options.batch}, {NEGATIVES} negatives a caption, {options.threads} threads")
    print(f"texts of {spread}, against {model.clip.context_length} of the plain way")
    for way in WAYS:
        wall, cpu = median[way]
        print(f"{way:>9}: {wall:7.2f} s a step, {cpu:7.2f} s of CPU, peak memory {memory[way]:6.0f} MiB")
    ratios = [a / b for a, b in zip(seconds["plain"], seconds["compoclip"])]
    wall, cpu = (a / b for a, b in zip(median["plain"], median["compoclip"]))
    # the CPU's own time says the same on a machine that has other work to do, where wall time is the luck of the draw
    print(f"speed-up: {wall:.2f}x (single pairs {min(ratios):.2f} to {max(ratios):.2f}), {cpu:.2f}x in CPU time")
    print(
        f"memory: {memory['start']:.0f} MiB of both is the program with the model loaded, before any step "
        f"(its weights {weights:.0f} MiB, and gradients and AdamW's moments take 3 times that again); "
        f"over that, plain {memory['plain'] - memory['start']:.0f} and compoclip "
        f"{memory['compoclip'] - memory['start']:.0f} MiB"
    )


if __name__ == "__main__":
    main()
