"""Several processes and micro-batches give the loss and the gradient of one process with the whole batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from compoclip.distributed import ALONE, Ranks
from compoclip.losses import Features, objective
from compoclip.losses.objective import OBJECTIVES, TERMS, Objective
from compoclip.models import Model
from compoclip.models.lora import Lora
from compoclip.models.teacher import Teacher
from compoclip.training.backward import backward
from compoclip.training.dataset import TrainBatch
from compoclip.training.frozen import FrozenTexts
from compoclip.training.towers import Towers
from models.clips import pixels
from training.processes import on_ranks

ROWS, WIDTH, K = 12, 6, 2  # rows of the whole batch, for one process, for two of 6 and for three of 4

EVERY = dict.fromkeys(TERMS, 0.3)
GOALS: dict[str, Objective] = {
    **{name: objective(name) for name in OBJECTIVES},
    **{f"only {name}": objective({name: 1.0}) for name in TERMS},
    "every term": objective(EVERY, contrastive_negatives="batch"),
    "own negatives": objective("negclip", contrastive_negatives="own"),
    "released": objective("degla", text_grounded_mask="released", missing_negatives="released"),
    "mean distillation": objective({"distillation": 1.0, "contrastive": 1.0}, distillation_reduction="mean"),
    "sigmoid": objective("negclip", contrastive_form="sigmoid"),
}


def _unit(value: Tensor) -> Tensor:
    return F.normalize(value, dim=-1)


class Linear:
    """An encoder of two matrices and two scalars, with inputs for every feature that any term reads."""

    def __init__(self) -> None:
        draw = torch.Generator().manual_seed(5)

        def numbers(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=draw, dtype=torch.float64)

        def there(*shape: int) -> Tensor:
            return torch.rand(*shape, generator=draw) < 0.6

        self.parameters = {
            "image": nn.Parameter(numbers(5, WIDTH)),
            "text": nn.Parameter(numbers(5, WIDTH)),
            "scale": nn.Parameter(torch.tensor(1.5, dtype=torch.float64)),
            "bias": nn.Parameter(torch.tensor(-1.0, dtype=torch.float64)),
        }
        self.image, self.text = numbers(ROWS, 5), numbers(ROWS, 5)
        self.negatives, self.patches, self.words = numbers(ROWS, K, 5), numbers(ROWS, 4, 5), numbers(ROWS, 3, 5)
        self.hard_words, self.units, self.foils = numbers(ROWS, K, 3, 5), numbers(ROWS, 3, 5), numbers(ROWS, 3, 5)
        self.other = numbers(ROWS, 2, 5)
        self.negative_mask = there(ROWS, K)
        self.negative_mask[0], self.negative_mask[7] = False, True
        self.word_mask, self.hard_word_mask = there(ROWS, 3), there(ROWS, K, 3)
        self.word_mask[:, 0] = True
        self.hard_word_mask[..., 1] = True
        self.unit_mask, self.foil_mask, self.other_mask = there(ROWS, 3), there(ROWS, 3), there(ROWS, 2)
        self.unit_id = torch.randint(6, (ROWS, 3), generator=draw)
        self.kind = torch.randint(2, (ROWS, K), generator=draw)
        self.image_id = torch.tensor([3, 1, 2, 3, 4, 5, 6, 7, 1, 8, 9, 7])
        self.owner = torch.tensor([0, 0, 1, 3, 3, 3, 4, 7, 8, 8, 10, 11])
        self.phrases, self.phrase_id = numbers(len(self.owner), 5), torch.randint(5, (len(self.owner),), generator=draw)
        self.teacher = [_unit(numbers(*shape)) for shape in ((ROWS, WIDTH), (ROWS, WIDTH), (ROWS, K, WIDTH))]

    def features(self, rows: Any, needs: frozenset[str]) -> Features:
        image, text = self.parameters["image"], self.parameters["text"]
        span = slice(rows.start, rows.stop)
        slots = int(self.unit_mask[span].sum(dim=1).max())  # as many as these rows need, so that parts differ
        kept = torch.argsort(~self.unit_mask[span], dim=1, stable=True)[:, :slots]
        found = (self.owner >= rows.start) & (self.owner < rows.stop)
        values: dict[str, Any] = {
            "image": _unit(self.image[span] @ image),
            "text": _unit(self.text[span] @ text),
            "logit_scale": self.parameters["scale"].exp(),
            "logit_bias": self.parameters["bias"],
            "image_id": self.image_id[span],
        }
        if "negatives" in needs:
            values |= {"negatives": _unit(self.negatives[span] @ text), "negative_mask": self.negative_mask[span]}
            values |= {"negative_kind": self.kind[span], "margins": torch.tensor([0.2, 0.4], dtype=torch.float64)}
        if needs & {"tokens", "image_tokens"}:
            values |= {"image_tokens": self.patches[span] @ image}
        if "tokens" in needs:
            values |= {"text_tokens": self.words[span] @ text, "text_mask": self.word_mask[span]}
            values |= {"negative_tokens": self.hard_words[span] @ text}
            values |= {"negative_token_mask": self.hard_word_mask[span]}
        if "units" in needs:
            for name, source in (("units", self.units), ("foils", self.foils)):
                values[name] = _unit(source[span].gather(1, kept[..., None].expand(-1, -1, 5)) @ text)
            for name in ("unit_mask", "foil_mask", "unit_id"):
                values[name] = getattr(self, name)[span].gather(1, kept)
        if "phrases" in needs:
            values |= {"phrases": _unit(self.phrases[found] @ text), "phrase_id": self.phrase_id[found]}
            values |= {"phrase_owner": self.owner[found] - rows.start}
        if "paraphrases" in needs:
            values |= {"paraphrases": _unit(self.other[span] @ text), "paraphrase_mask": self.other_mask[span]}
        if "teacher" in needs:
            names = ("teacher_image", "teacher_text", "teacher_negatives")
            values |= dict(zip(names, (value[span] for value in self.teacher)))
        return Features(**values)

    def with_negatives(self, rows: Any, needs: frozenset[str]) -> int:
        return int(self.negative_mask[rows.start : rows.stop].any(dim=1).sum())


def _ranges(first: int, count: int, size: int | None) -> list[Any]:
    size = size or count
    return [range(start, min(start + size, first + count)) for start in range(first, first + count, size)]


def linear(ranks: Ranks, micro: int | None) -> dict[str, dict[str, Tensor]]:
    """Every goal's terms and gradients."""
    out = {}
    each = ROWS // ranks.count
    for name, goal in GOALS.items():
        encoder = Linear()
        terms = backward(goal, _ranges(ranks.rank * each, each, micro), encoder, ranks)
        ranks.sum_gradients(encoder.parameters.values())
        gradients = {f"d {key}": p.grad for key, p in encoder.parameters.items() if p.grad is not None}
        out[name] = {**terms, **gradients}
    return out


def _compare(found: dict[str, dict[str, Tensor]], expected: dict[str, dict[str, Tensor]], within: float) -> None:
    assert found.keys() == expected.keys()
    for case, values in expected.items():
        assert found[case].keys() == values.keys(), case
        largest = max((float(v.abs().max()) for k, v in values.items() if k.startswith("d ")), default=1.0)
        for key, value in values.items():
            size = max(float(value.abs().max()), 1e-3 * largest if key.startswith("d ") else 1e-12)
            gap = float((found[case][key] - value).abs().max()) / size
            assert gap <= within, (case, key, gap)


CAPTIONS = ["a red cat left of a dog", "a big blue circle", "the dog", "a red cat left of a dog", "two cat", "a square"]
WRONG = [
    ["a red dog left of a cat", "a blue cat left of a dog"],
    [],
    ["THE  Dog", "the cat"],
    ["a big blue circle"],
    ["two dog", "a cat"],
    ["a circle", "the square"],
]


@dataclass
class Setting:
    """One way to train a small model."""

    goal: Objective
    prepare: Callable[[Model], None] = lambda model: None
    frozen_texts: bool = False


def _lora(model: Model) -> None:
    torch.manual_seed(3)
    Lora(model.clip, 2, 4.0)
    for name, parameter in model.clip.named_parameters():
        if "lora_B" in name:  # they start at zero, where A has no gradient
            nn.init.normal_(parameter, std=0.2)


def _freeze(prefix: str) -> Callable[[Model], None]:
    def prepare(model: Model) -> None:
        for name, parameter in model.clip.named_parameters():
            if name.startswith("visual.") == (prefix == "image") and "logit" not in name:
                parameter.requires_grad_(False)

    return prepare


MIX = objective(
    dict.fromkeys(("contrastive", "global_negative", "local_negative", "image_grounded", "text_grounded"), 0.3)
    | {"distillation": 0.1},
    contrastive_negatives="batch",
)
SETTINGS = {
    "clip": Setting(objective("clip")),
    "fsc-clip": Setting(objective("fsc-clip")),
    "degla": Setting(objective("degla")),
    "mix": Setting(MIX),
    "mix with LoRA": Setting(MIX, _lora),
    "mix, image locked": Setting(MIX, _freeze("image")),
    "mix, text locked": Setting(MIX, _freeze("text"), frozen_texts=True),
}


def towers_of(make: Callable[[], Model], *names: str) -> Callable[[Ranks, int | None], dict[str, dict[str, Tensor]]]:
    def work(ranks: Ranks, micro: int | None) -> dict[str, dict[str, Tensor]]:
        out = {}
        for name in names or SETTINGS:
            setting = SETTINGS[name]
            model = make()
            model.clip.double()
            setting.prepare(model)
            teacher = Teacher(model.clip, 0.5)
            with torch.no_grad():
                for p in model.clip.parameters():
                    if p.requires_grad:
                        p.mul_(1.02)
            kept = FrozenTexts(model.clip, True) if setting.frozen_texts else None
            towers = Towers(model, K, teacher.clip, kept)
            images = pixels(model, ROWS).double()
            ids = torch.tensor([3, 1, 2, 3, 4, 5, 6, 7, 1, 8, 9, 7])
            each = ROWS // ranks.count
            mine = slice(ranks.rank * each, (ranks.rank + 1) * each)
            batch = TrainBatch(images[mine], (CAPTIONS * 2)[mine], (WRONG * 2)[mine], ids[mine], 0, [""] * each)
            terms = backward(setting.goal, batch.parts(micro), towers, ranks)
            ranks.sum_gradients(model.clip.parameters())
            gradients = {f"d {key}": p.grad for key, p in model.clip.named_parameters() if p.grad is not None}
            assert gradients
            out[name] = {**terms, **gradients}
        return out

    return work


def test_every_feature_has_an_input_in_these_tests() -> None:
    needs = frozenset().union(*(term.needs for term in TERMS.values()))
    features = Linear().features(range(ROWS), needs)
    missing = {field.name for field in fields(Features) if getattr(features, field.name) is None}
    assert missing == {"texts", "text_present"}  # alternatives to `text`


def test_micro_batches_of_every_objective() -> None:
    expected = linear(ALONE, None)
    for micro in (1, 5):
        _compare(linear(ALONE, micro), expected, 1e-9)


def test_micro_batches_of_real_towers(clip: Any) -> None:
    work = towers_of(lambda: clip("vit"))
    _compare(work(ALONE, 5), work(ALONE, None), 1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3])
def test_several_processes_with_and_without_micro_batches(count: int, clip: Any) -> None:
    real = towers_of(lambda: clip("vit"), "mix with LoRA", "mix, text locked")

    def work(ranks: Ranks) -> list[dict[str, dict[str, Any]]]:
        return [_plain(linear(ranks, None)), _plain(linear(ranks, 3)), _plain(real(ranks, 3 if count == 2 else None))]

    first, *others = on_ranks(count, work)
    for one in others:  # every rank takes the same step
        assert one == first
    whole = linear(ALONE, None)
    for found, wanted in zip(first, [whole, whole, real(ALONE, None)]):
        _compare(_tensors(found), wanted, 1e-9)


def _plain(found: dict[str, dict[str, Tensor]]) -> dict[str, dict[str, Any]]:
    """As lists: a queue of torch's own tensors would share memory with a process that ends."""
    return {case: {key: value.tolist() for key, value in values.items()} for case, values in found.items()}


def _tensors(found: dict[str, dict[str, Any]]) -> dict[str, dict[str, Tensor]]:
    return {
        case: {key: torch.tensor(value, dtype=torch.float64) for key, value in values.items()}
        for case, values in found.items()
    }
