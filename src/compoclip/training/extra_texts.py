"""Features of a batch's units, phrases and paraphrases, picked from those of its distinct texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from compoclip.config import TrainConfig
from compoclip.data.concatenate import TEXTS, both
from compoclip.data.extras import Extras, Wanted
from compoclip.data.order import digest


def wanted_texts(config: TrainConfig, needs: frozenset[str]) -> Wanted:
    """How many further texts of a caption its objective's terms read."""
    return Wanted(
        units=config.units_per_caption if "units" in needs else 0,
        phrases=config.phrases_per_caption if "phrases" in needs else 0,
        paraphrases=config.paraphrases_per_caption if "paraphrases" in needs else 0,
        texts=TEXTS if config.concatenate else 0,
    )


def stand_ins(captions: Sequence[str], wanted: Wanted, count: int) -> list[Extras]:
    """As many texts as `count` rows may bring, each about as long as a part of a caption, to measure memory with."""
    if not wanted:
        return []
    words = [caption.split() for caption in captions]
    short = [" ".join(one[: max(1, 3 * len(one) // 4)]) for one in words]
    each = 2 * wanted.units + wanted.phrases + wanted.paraphrases
    rows = [[f"{row} {slot} {short[(row + slot) % len(short)]}" for slot in range(each)] for row in range(count)]
    n, m = wanted.units, 2 * wanted.units + wanted.phrases
    count = len(captions)
    pairs = [
        [both(captions[row], captions[(row + slot + 1) % count]) for slot in range(wanted.texts)]
        for row in range(len(rows))
    ]
    return [
        Extras(list(zip(row[:n], row[n : 2 * n])), row[2 * n : m], row[m:], texts) for row, texts in zip(rows, pairs)
    ]


def texts_in(extras: Sequence[Extras]) -> list[str]:
    """All texts of the rows, with repeats."""
    return [
        text
        for row in extras
        for text in (*(text for pair in row.units for text in pair), *row.phrases, *row.paraphrases, *row.texts)
    ]


def extra_features(
    extras: Sequence[Extras],
    place: Mapping[str, int],
    ids: Tensor,
    of_caption: Tensor,
    pooled: Tensor,
    needs: frozenset[str],
) -> dict[str, Tensor]:
    """The inputs of `Features` for units, phrases and paraphrases, as far as `needs` names them, and for joined images.

    extras: one a row. place: where each distinct text is among `ids` (N, L) and `pooled` (N, D); of_caption (B,) where
    the captions are. A foil, or a paraphrase, that the tower reads as its unit, or its caption, is masked.
    """
    device, found = pooled.device, dict[str, Tensor]()
    if "units" in needs:
        units, there = _index([[place[unit] for unit, _ in row.units] for row in extras], device)
        foils, _ = _index([[place[foil] for _, foil in row.units] for row in extras], device)
        found |= {"units": pooled[units], "foils": pooled[foils], "unit_mask": there}
        found["foil_mask"] = there & (ids[units] != ids[foils]).any(dim=-1)
        found["unit_id"] = _names([[unit for unit, _ in row.units] for row in extras], units.shape[1], device)
    if "phrases" in needs:
        flat = [(row, text) for row, one in enumerate(extras) for text in one.phrases]
        where = torch.tensor([place[text] for _, text in flat], dtype=torch.long, device=device)
        found |= {
            "phrases": pooled[where],
            "phrase_owner": torch.tensor([row for row, _ in flat], dtype=torch.long, device=device),
            "phrase_id": torch.tensor([_name(text) for _, text in flat], dtype=torch.long, device=device),
        }
    if "paraphrases" in needs:
        others, there = _index([[place[text] for text in row.paraphrases] for row in extras], device)
        differs = (ids[others] != ids[of_caption][:, None]).any(dim=-1)
        found |= {"paraphrases": pooled[others], "paraphrase_mask": there & differs}
    if any(row.texts for row in extras):
        several, there = _index([[place[text] for text in row.texts] for row in extras], device)
        found |= {"texts": pooled[several], "text_present": there}
    return found


def _index(rows: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """(B, slots) places and which are there; as many slots as the fullest row has. Empty ones point at text 0."""
    slots = max(map(len, rows), default=0)
    index = torch.tensor([[*row, *[0] * (slots - len(row))] for row in rows], dtype=torch.long)
    there = torch.tensor([[slot < len(row) for slot in range(slots)] for row in rows], dtype=torch.bool)
    return index.view(len(rows), slots).to(device), there.view(len(rows), slots).to(device)


def _names(rows: Sequence[Sequence[str]], slots: int, device: torch.device) -> Tensor:
    padded = [[*map(_name, row), *[0] * (slots - len(row))] for row in rows]
    return torch.tensor(padded, dtype=torch.long, device=device).view(len(rows), slots)


def _name(text: str) -> int:
    """Equal for equal texts, in whatever process."""
    return digest(text.casefold()) >> 1
