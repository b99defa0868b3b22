"""One optimisation step of ViT-B-32 with hard negatives: compoclip against the plain way.

    python benchmarks/train_step.py [--objective negclip|fsc-clip|degla] [--batch 8] [--memory]

The plain way runs both towers on every text at 77 positions, captions and negatives together (for negclip by
open_clip's own `encode_image` and `encode_text`), fsc-clip with its local terms and degla with its teacher. Ours is
what `compoclip train` runs. Weights are random and start equal, both see the same images and captions, 3 negatives a
caption. The two alternate in one process; the loss must agree to 1e-6. The floating-point operations of a step are
counted as well: their ratio is what a machine could gain that spends its time on nothing else, and the image tower's
share, which both ways have in full, bounds what any treatment of texts could gain. A third way takes micro-batches of
half the batch (`--micro`), and one process of the whole batch is compared with two that share it (`--ranks`), one
thread each. `--memory` adds the peak of each way alone in a process. Ratios are medians of the repeats, of CPU time
too, which other work on the machine changes less than wall time. About 4 minutes of one free core at batch 8.
"""

from __future__ import annotations

import argparse
import gc
import resource
import statistics
import subprocess
import sys
import time
from contextlib import nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from compoclip.distributed import ALONE, Ranks, joined
from compoclip.losses import Features, objective
from compoclip.losses.objective import Objective
from compoclip.models import Model, load
from compoclip.models.image_tower import image_backbone, image_projection
from compoclip.models.teacher import Teacher
from compoclip.models.text_tower import encode_ids
from compoclip.training.backward import backward
from compoclip.training.dataset import TrainBatch
from compoclip.training.optim import adamw
from compoclip.training.towers import Towers

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


def plain_negclip(model: Model, pixels: Tensor, captions: list[str], negatives: list[list[str]]) -> Tensor:
    """negclip with open_clip's own two calls."""
    ids = model.tokenizer([*captions, *(text for row in negatives for text in row)])
    image = model.clip.encode_image(pixels, normalize=True)
    text = model.clip.encode_text(ids, normalize=True)
    scale, target = model.clip.logit_scale.exp(), torch.arange(len(image))
    to_text = F.cross_entropy(scale * image @ text.T, target)
    return (to_text + F.cross_entropy(scale * text[: len(image)] @ image.T, target)) / 2


def plain_loss(model: Model, rows: TrainBatch, goal: Objective, teacher: Any) -> Tensor:
    """Any objective, every text at full length by itself."""
    dense, count = "tokens" in goal.needs, len(rows)
    ids = model.tokenizer([*rows.captions, *(text for row in rows.negatives for text in row)])
    words = encode_ids(model.clip, ids, dense, cut=False)
    image = image_projection(model.clip.visual, image_backbone(model.clip.visual, rows.images, dense))
    text = F.normalize(words.pooled, dim=-1)
    mask = torch.ones(count, NEGATIVES, dtype=torch.bool)
    values: dict[str, Any] = {"image": F.normalize(image.pooled, dim=-1), "text": text[:count]}
    values |= {"negatives": text[count:].unflatten(0, mask.shape), "negative_mask": mask, "image_id": rows.image_id}
    if dense and words.tokens is not None and words.mask is not None:
        values |= {"image_tokens": image.tokens, "text_tokens": words.tokens[:count], "text_mask": words.mask[:count]}
        values |= {"negative_tokens": words.tokens[count:].unflatten(0, mask.shape)}
        values |= {"negative_token_mask": words.mask[count:].unflatten(0, mask.shape)}
    if teacher is not None:
        with torch.no_grad():
            seen = F.normalize(teacher.encode_image(rows.images), dim=-1)
            read = F.normalize(teacher.encode_text(ids), dim=-1)
        values |= {"teacher_image": seen, "teacher_text": read[:count]}
        values |= {"teacher_negatives": read[count:].unflatten(0, mask.shape)}
    terms = goal(Features(logit_scale=model.clip.logit_scale.exp(), **values))
    return torch.stack(list(terms.values())).sum()


class Side:
    """A model, its optimiser and one batch; `step` is one optimisation step: (wall seconds, CPU seconds, loss).

    way: `plain`, `compoclip`, or `micro M`.
    """

    def __init__(self, way: str, batch: int, name: str, ranks: Ranks = ALONE) -> None:
        self.way, self.name, self.goal, self.ranks = way, name, objective(name), ranks
        torch.manual_seed(0)
        self.model = load("ViT-B-32:random")
        self.model.clip.train()
        self.teacher = Teacher(self.model.clip) if "teacher" in self.goal.needs else None
        pixels = torch.randn(batch, 3, 224, 224, generator=torch.Generator().manual_seed(1))
        whole = TrainBatch(pixels, *texts(batch), torch.arange(batch), 0, [""] * batch)
        self.rows = whole.parts(batch // ranks.count)[ranks.rank]
        self.optimizer = adamw(self.model.clip, 1e-6, 0.1, (0.9, 0.98), 1e-6)
        self.micro = int(way.removeprefix("micro ")) if way.startswith("micro") else None

    def step(self) -> tuple[float, float, float]:
        started, worked = time.perf_counter(), time.process_time()
        self.optimizer.zero_grad(set_to_none=True)
        teacher = self.teacher.clip if self.teacher else None
        if self.way == "plain":
            if self.name == "negclip":
                loss = plain_negclip(self.model, self.rows.images, self.rows.captions, self.rows.negatives)
            else:
                loss = plain_loss(self.model, self.rows, self.goal, teacher)
            loss.backward()
        else:
            towers = Towers(self.model, NEGATIVES, teacher)
            terms = backward(self.goal, self.rows.parts(self.micro), towers, self.ranks)
            self.ranks.sum_gradients(self.model.clip.parameters())
            loss = torch.stack(list(terms.values())).sum()
        self.optimizer.step()
        if self.teacher:
            self.teacher.update()
        return time.perf_counter() - started, time.process_time() - worked, loss.item()


def rank_seconds(options: argparse.Namespace, count: int) -> float:
    """Median seconds of a step on `count` processes of one thread that share the batch."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count), __file__]
    command += ["--as-rank", "--batch", str(options.batch), "--repeats", str(options.repeats)]
    done = subprocess.run([*command, "--objective", options.objective], check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def as_rank(options: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    with joined() as ranks:
        side = Side("compoclip", options.batch, options.objective, ranks)
        seconds = [side.step()[0] for _ in range(options.repeats + 1)][1:]
        if not ranks.rank:
            print(statistics.median(seconds))


def peak(way: str, batch: int, threads: int, name: str) -> float:
    """Peak resident memory in MiB of a process that takes two steps one way (the second has AdamW's moments)."""
    command = [sys.executable, __file__, "--peak-of", way, "--batch", str(batch), "--threads", str(threads)]
    command += ["--objective", name]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--objective", choices=["negclip", "fsc-clip", "degla"], default="negclip")
    parser.add_argument("--batch", type=int, default=8, help="images a step")
    parser.add_argument("--repeats", type=int, default=3, help="timed steps of each way")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--micro", type=int, help="samples of a micro-batch; half the batch, 0 for none")
    parser.add_argument("--ranks", type=int, default=2, help="processes that share the batch; 1 leaves it out")
    parser.add_argument("--memory", action="store_true", help="peak memory of each way, in processes of their own")
    parser.add_argument("--peak-of", help=argparse.SUPPRESS)
    parser.add_argument("--as-rank", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.as_rank:
        as_rank(options)
        return
    if options.peak_of:
        way = "plain" if options.peak_of == "start" else options.peak_of
        side = Side(way, options.batch, options.objective)
        for _ in range(0 if options.peak_of == "start" else 2):
            side.step()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10))
        return
    micro = options.batch // 2 if options.micro is None else options.micro
    ways = ["plain", "compoclip"] + ([f"micro {micro}"] if micro else [])
    sides = {way: Side(way, options.batch, options.objective) for way in ways}
    print(f"ViT-B-32, {options.objective}, batch {options.batch}, {NEGATIVES} negatives, {options.threads} threads")
    print(spread_of(sides["plain"]), flush=True)
    operations, seconds, worked = measured(sides, options.repeats)
    for way in ways:
        wall, cpu = statistics.median(seconds[way]), statistics.median(worked[way])
        line = f"{way:>9}: {wall:7.2f} s a step, {cpu:7.2f} s of CPU, {operations[way] / 1e12:.2f} Tflop"
        if way != "plain":
            ratios = [a / b for a, b in zip(worked["plain"], worked[way])]
            line += (
                f"; {statistics.median(seconds['plain']) / wall:.2f}x, in CPU time {statistics.median(ratios):.2f}x "
            )
            line += f"({min(ratios):.2f} to {max(ratios):.2f}), "
            line += f"in operations {operations['plain'] / operations[way]:.2f}x"
        print(line, flush=True)
    images, plain = image_operations(sides["plain"]), operations["plain"]
    print(f"of them {images / 1e12:.2f} Tflop in image towers: without any text at all, {plain / images:.2f}x")
    if options.memory:
        memory = {way: peak(way, options.batch, options.threads, options.objective) for way in ("start", *ways)}
        above = ", ".join(f"{way} {memory[way] - memory['start']:.0f}" for way in ways)
        print(f"MiB above the {memory['start']:.0f} of the start with the model loaded: {above}")
    if options.ranks > 1:
        one, several = rank_seconds(options, 1), rank_seconds(options, options.ranks)
        print(f"{options.ranks} processes: {several:.2f} s a step, one {one:.2f} s: {one / several:.2f}x")


def spread_of(side: Side) -> str:
    """How long the texts are."""
    every = [*side.rows.captions, *(text for row in side.rows.negatives for text in row)]
    lengths = side.model.tokenizer(every).argmax(dim=1) + 1
    shown = f"{lengths.min()} to {lengths.max()} tokens (mean {lengths.float().mean():.1f})"
    return f"{len(every)} texts of {shown}, against {side.model.clip.context_length} of the plain way"


def image_operations(side: Side) -> int:
    """Operations of the image tower forward and back, and of the teacher's forward, for the whole batch."""
    with FlopCounterMode(display=False) as counter:
        side.model.clip.encode_image(side.rows.images).sum().backward()
        if side.teacher is not None:
            with torch.no_grad():
                side.teacher.clip.encode_image(side.rows.images)
    return int(counter.get_total_flops())


def measured(
    sides: dict[str, Side], repeats: int
) -> tuple[dict[str, int], dict[str, list[float]], dict[str, list[float]]]:
    """Operations of a step, and wall and CPU seconds of each repeat, by way. Ends the program where losses differ."""
    operations: dict[str, int] = {}
    seconds: dict[str, list[float]] = {way: [] for way in sides}
    worked: dict[str, list[float]] = {way: [] for way in sides}
    for repeat in range(repeats + 1):
        loss = {}
        for way in sorted(sides, reverse=repeat % 2 == 1):  # neither is always first
            gc.collect()
            with nullcontext() if repeat else FlopCounterMode(display=False) as counter:
                wall, cpu, loss[way] = sides[way].step()
            if counter is not None:
                operations[way] = counter.get_total_flops()
            if repeat:  # the first step of each allocates
                seconds[way].append(wall)
                worked[way].append(cpu)
        if repeat == 0:
            gap = max(abs(value - loss["plain"]) / abs(loss["plain"]) for value in loss.values())
            print(f"loss: plain {loss['plain']:.8f}, largest relative difference {gap:.1e}")
            if gap > 1e-6:
                sys.exit("the losses differ by more than 1e-6")
    return operations, seconds, worked


if __name__ == "__main__":
    main()
