"""The terms of CS-CLIP, READ, C2LIP, CLIC and CE-CLIP and the sigmoid forms, as loops over single float64 numbers.

A new term goes here, and into `EXTENDED`: test_loss_extended.py asks of each what it lists.

Written from the printed formulas: an absent item is skipped, never added as 0, unless the formula says so.
`make_extended` draws the inputs that these terms read beside those of `cases.make_case`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .cases import Case, make_case, unit
from .loops import dot, log_sum_exp, mean


def make_extended(seed: int, size: int = 4, slots: int = 2, phrases: int = 7, mask: str = "partial") -> Case:
    """A case of B = `size` with N = `slots` units and texts and paraphrases, and M = `phrases` phrases."""
    case = make_case(seed, (size, 3, 6, 5, 4), mask, scale=5.0)
    rng = np.random.default_rng(seed + 1000)

    def there(*shape: int) -> np.ndarray:
        if mask == "all":
            return np.ones(shape, dtype=bool)
        if mask == "none":
            return np.zeros(shape, dtype=bool)
        return rng.random(shape) < 0.7

    for name, present in (("units", "unit_mask"), ("texts", "text_present"), ("paraphrases", "paraphrase_mask")):
        case[name] = unit(rng.normal(size=(size, slots, 6)))
        case[present] = there(size, slots)
    case["foils"] = unit(rng.normal(size=(size, slots, 6)))
    case["foil_mask"] = there(size, slots)
    case["unit_id"] = rng.integers(0, 4, size=(size, slots))
    case["phrases"] = unit(rng.normal(size=(phrases, 6)))
    case["phrase_owner"] = rng.integers(0, max(size, 1), size=phrases)
    case["phrase_id"] = rng.integers(0, 5, size=phrases)
    case["margins"] = rng.uniform(0.0, 1.0, size=3)
    case["logit_bias"] = np.float64(-3.0)
    return case


def softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def apart(case: Case, i: int, j: int) -> bool:
    ids = case.get("image_id")
    return i == j or ids is None or ids[i] != ids[j]


def unit_contrast(
    case: Case, unit_foils: str = "own", unit_repeats: str = "paper", unit_empty_slot: str = "divide"
) -> float:
    image, s = case["image"], float(case["logit_scale"])
    values = []
    for k in range(case["units"].shape[1]):
        filled = [i for i in range(len(image)) if case["unit_mask"][i, k]]

        def seen(i: int, k: int = k, filled: list[int] = filled) -> list[int]:
            ids = case["unit_id"][:, k]
            return [j for j in filled if apart(case, i, j) and (i == j or unit_repeats == "paper" or ids[i] != ids[j])]

        rows = []
        for i in filled:
            own = s * dot(image[i], case["units"][i, k])
            owners = [i] if unit_foils == "own" else filled
            foils = [s * dot(image[i], case["foils"][j, k]) for j in owners if case["foil_mask"][j, k]]
            to_unit = log_sum_exp([s * dot(image[i], case["units"][j, k]) for j in seen(i)] + foils) - own
            to_image = log_sum_exp([s * dot(image[j], case["units"][i, k]) for j in seen(i)]) - own
            rows.append(0.5 * (to_unit + to_image))
        if rows or unit_empty_slot == "divide":
            values.append(mean(rows))
    return mean(values)


def paraphrase(case: Case, paraphrase_direction: str = "paper") -> float:
    s = float(case["logit_scale"])
    slots = []
    for r in range(case["paraphrases"].shape[1]):
        have = [i for i in range(len(case["text"])) if case["paraphrase_mask"][i, r]]
        forward, backward = [], []
        for i in have:
            others = [j for j in have if apart(case, i, j)]
            own = s * dot(case["text"][i], case["paraphrases"][i, r])
            forward.append(log_sum_exp([s * dot(case["text"][i], case["paraphrases"][j, r]) for j in others]) - own)
            backward.append(log_sum_exp([s * dot(case["text"][j], case["paraphrases"][i, r]) for j in others]) - own)
        if have:
            slots.append(
                {"paper": mean(forward), "released": mean(backward)}.get(
                    paraphrase_direction, 0.5 * (mean(forward) + mean(backward))
                )
            )
    return mean(slots)


def phrase_loss(case: Case, cosine: Callable[[int, int], float], form: str, repeats: str) -> float:
    s, owner, ids = float(case["logit_scale"]), case["phrase_owner"], case["phrase_id"]
    size, count = len(case["image"]), len(owner)

    def counts(n: int, i: int) -> bool:
        if owner[n] == i:
            return True
        if not apart(case, int(owner[n]), i):
            return False
        return repeats == "paper" or not any(owner[m] == i and ids[m] == ids[n] for m in range(count))

    if form == "sigmoid":
        bias = float(case["logit_bias"])
        rows = []
        for n in range(count):
            pairs = [i for i in range(size) if counts(n, i)]
            rows.append(math.fsum(softplus((-1 if owner[n] == i else 1) * (s * cosine(n, i) + bias)) for i in pairs))
        return mean(rows)
    to_image = [
        log_sum_exp([s * cosine(n, i) for i in range(size) if counts(n, i)]) - s * cosine(n, int(owner[n]))
        for n in range(count)
    ]
    to_phrases = []
    for i in range(size):
        own = [n for n in range(count) if owner[n] == i]
        if own:
            everything = [s * cosine(n, i) for n in range(count) if counts(n, i)]
            to_phrases.append(log_sum_exp(everything) - log_sum_exp([s * cosine(n, i) for n in own]))
    return 0.5 * (mean(to_image) + mean(to_phrases))


def phrase_contrast(case: Case, phrase_form: str = "sigmoid", phrase_repeats: str = "paper") -> float:
    return phrase_loss(case, lambda n, i: dot(case["phrases"][n], case["image"][i]), phrase_form, phrase_repeats)


def phrase_pooled(
    case: Case, phrase_form: str = "sigmoid", phrase_repeats: str = "paper", phrase_temperature: float = 1.0
) -> float:
    def cosine(n: int, i: int) -> float:
        phrase, patches = case["phrases"][n], []
        for patch in case["image_tokens"][i]:
            length = math.sqrt(dot(patch, patch))
            patches.append(patch / length if length > 0 else patch)
        raw = [dot(patch, phrase) / phrase_temperature for patch in patches]
        norm = log_sum_exp(raw)
        mixture = sum((math.exp(r - norm) * patch for r, patch in zip(raw, patches, strict=True)), np.zeros(6))
        return dot(mixture / max(math.sqrt(dot(mixture, mixture)), 1e-8), phrase)

    return phrase_loss(case, cosine, phrase_form, phrase_repeats)


def sets_of(case: Case) -> list[dict[int, np.ndarray]]:
    """The true texts of each set, by sample: `texts` where there are any, else the captions."""
    if "texts" not in case:
        return [dict(enumerate(case["text"]))]
    size, count = case["text_present"].shape
    return [{i: case["texts"][i, m] for i in range(size) if case["text_present"][i, m]} for m in range(count)]


def own_pair(case: Case) -> float:
    s = float(case["logit_scale"])
    sets = []
    for texts in sets_of(case):
        rows = []
        for i, text in texts.items():
            for k in range(case["negatives"].shape[1]):
                if case["negative_mask"][i, k]:
                    true, wrong = s * dot(case["image"][i], text), s * dot(case["image"][i], case["negatives"][i, k])
                    rows.append(log_sum_exp([true, wrong]) - true)
        if rows:
            sets.append(mean(rows))
    return mean(sets)


def text_pull(case: Case) -> float:
    rows = []
    for i in range(len(case["text"])):
        if "texts" in case:
            both = case["text_present"].shape[1] > 1 and case["text_present"][i, :2].all()
            pairs = [(case["texts"][i, 0], case["texts"][i, 1])] if both else []
        else:
            present = case["paraphrase_mask"][i]
            pairs = [(case["text"][i], case["paraphrases"][i, r]) for r in range(len(present)) if present[r]]
        rows += [math.fsum(float(a - b) ** 2 for a, b in zip(*pair, strict=True)) for pair in pairs]
    return mean(rows)


def thresholds(case: Case, margin: str, cap: float) -> list[list[float]]:
    size, count = case["negative_mask"].shape
    kinds = case.get("negative_kind", np.broadcast_to(np.arange(count), (size, count)))
    if margin == "fixed":
        return [[cap * float(case["logit_scale"])] * count] * size
    return [
        [float(case["margins"][kinds[i, k]]) if "margins" in case else 0.0 for k in range(count)] for i in range(size)
    ]


def rank_margin(case: Case, margin: str = "adaptive", margin_cap: float = 0.1, margin_mean: str = "paper") -> float:
    s, (size, count) = float(case["logit_scale"]), case["negative_mask"].shape
    theta = thresholds(case, margin, margin_cap)
    found = []
    for i in range(size):
        for k in range(count):
            if case["negative_mask"][i, k]:
                true, wrong = dot(case["image"][i], case["text"][i]), dot(case["image"][i], case["negatives"][i, k])
                found.append(max(0.0, theta[i][k] + s * wrong - s * true))
    places = len(found) if margin_mean == "present" else size * count
    return math.fsum(found) / places if places else 0.0


def next_margins(case: Case, cap: float = 0.1) -> list[float]:
    s, (size, count) = float(case["logit_scale"]), case["negative_mask"].shape
    kinds = case.get("negative_kind", np.broadcast_to(np.arange(count), (size, count)))
    true = mean([s * dot(case["image"][i], case["text"][i]) for i in range(size)])
    out = []
    for kind in range(len(case["margins"])):
        wrong = [
            s * dot(case["image"][i], case["negatives"][i, k])
            for i in range(size)
            for k in range(count)
            if kinds[i, k] == kind and case["negative_mask"][i, k]
        ]
        out.append(min(max(true - mean(wrong), 0.0), cap * s) if wrong else float(case["margins"][kind]))
    return out


def text_contrast(
    case: Case, text_contrast_negatives: str = "batch", text_contrast_positive: str = "image_text"
) -> float:
    s, (size, count) = float(case["logit_scale"]), case["negative_mask"].shape
    rows = []
    for i in range(size):
        wrong = {
            (j, k): s * dot(case["text"][i], case["negatives"][j, k])
            for j in range(size)
            for k in range(count)
            if case["negative_mask"][j, k] and (text_contrast_negatives == "batch" or j == i)
        }
        true = s * dot(case["image"][i], case["text"][i])
        if text_contrast_positive == "image_text":
            rows.append(log_sum_exp([true, *wrong.values()]) - true)
        else:  # the first negative of the batch stands where the true text belongs
            first = wrong.get((0 if text_contrast_negatives == "batch" else i, 0))
            rows.append(log_sum_exp(list(wrong.values())) - (first or 0.0) if wrong else 0.0)
    return mean(rows)


def contrastive(case: Case, contrastive_form: str = "softmax", contrastive_negatives: str = "none") -> float:
    """The forms that `loops.contrastive` does not have: several true texts, and sigmoid."""
    image, s = case["image"], float(case["logit_scale"])
    values = []
    for texts in sets_of(case):
        rows = []
        for i in texts:
            seen = [j for j in texts if apart(case, i, j)]
            hard = [
                s * dot(image[i], case["negatives"][j, k])
                for j in ([i] if contrastive_negatives == "own" else range(len(image)))
                for k in range(case["negatives"].shape[1])
                if contrastive_negatives != "none" and case["negative_mask"][j, k]
            ]
            if contrastive_form == "sigmoid":
                b = float(case["logit_bias"])
                pairs = [softplus((-1 if j == i else 1) * (s * dot(image[i], texts[j]) + b)) for j in seen]
                rows.append(math.fsum([*pairs, *(softplus(x + b) for x in hard)]))
                continue
            own = s * dot(image[i], texts[i])
            to_text = log_sum_exp([s * dot(image[i], texts[j]) for j in seen] + hard) - own
            rows.append(0.5 * (to_text + log_sum_exp([s * dot(image[j], texts[i]) for j in seen]) - own))
        if rows:
            values.append(mean(rows))
    return mean(values)


EXTENDED: dict[str, Callable[..., float]] = {
    "unit_contrast": unit_contrast,
    "paraphrase": paraphrase,
    "phrase_contrast": phrase_contrast,
    "phrase_pooled": phrase_pooled,
    "own_pair": own_pair,
    "text_pull": text_pull,
    "rank_margin": rank_margin,
    "text_contrast": text_contrast,
    "contrastive": contrastive,
}
