"""Can negatives be told from captions without the image? A classifier and a language model that never see one.

50 % would mean that text alone says nothing. SugarCrepe (Hsieh et al. 2023, section 4) asks this of benchmarks; the
same giveaways teach a model to read grammar instead of looking.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple
from zlib import crc32

import numpy as np

from compoclip.negatives.draw import Draw

_TOKENS = re.compile(r"\w+(?:'\w+)?|[^\w\s]")
BUCKETS = 1 << 18
FOLDS = 5
Pair = tuple[str, str]  # caption, negative


class Blind(NamedTuple):
    """Accuracies in percent; `n` pairs.

    classifier, language_model: which of a pair is the caption; single: is this one text a caption or a negative;
    shorter: the shorter of a pair is the caption (ties count half).
    """

    classifier: float
    single: float
    language_model: float
    shorter: float
    n: int


def tokens(text: str) -> list[str]:
    return _TOKENS.findall(text.lower())


def features(text: str) -> np.ndarray:
    """Hashed counts' positions of the 1-, 2- and 3-grams of a text, with its ends marked; (F,) int64, unique."""
    words = ["<s>", *tokens(text), "</s>"]
    grams = set(words[1:-1])
    for n in (2, 3):
        grams.update(" ".join(words[at : at + n]) for at in range(len(words) - n + 1))
    return np.unique(np.fromiter((crc32(gram.encode()) % BUCKETS for gram in grams), dtype=np.int64))


def fold_of(caption: str) -> int:
    """A caption and all its negatives fall into one part, so that none is both learned and judged."""
    return crc32(caption.encode()) % FOLDS


def classifier_margins(pairs: Sequence[Pair], epochs: int = 4, most: int | None = None) -> np.ndarray:
    """How much more a held-out blind classifier believes the caption than the negative; (N,) float64.

    Logistic regression on hashed 1-3-grams, trained on the other four fifths, caption against negative, by AdaGrad.
    most: pairs to train on where there are more, drawn by hash.
    """
    margins = np.zeros(len(pairs))
    made = [(features(caption), features(negative)) for caption, negative in pairs]
    folds = np.array([fold_of(caption) for caption, _ in pairs])
    for fold in range(FOLDS):
        others = np.flatnonzero(folds != fold).tolist()
        if most is not None and len(others) > most:
            others = sorted(Draw("most", fold).shuffled(others)[:most])
        learned = _train([made[i] for i in others], epochs)
        for i in np.flatnonzero(folds == fold):
            true, false = made[i]
            margins[i] = learned[true].sum() - learned[false].sum()
    return margins


def _train(examples: Sequence[tuple[np.ndarray, np.ndarray]], epochs: int) -> np.ndarray:
    """Weights of a logistic model of which text of a pair is the caption (a pairwise loss needs no intercept)."""
    weights, squares = np.zeros(BUCKETS), np.full(BUCKETS, 1e-8)
    order = Draw("blind").shuffled(range(len(examples)))
    for _ in range(epochs):
        for i in order:
            true, false = examples[i]
            margin = weights[true].sum() - weights[false].sum()
            gradient = 1.0 / (1.0 + math.exp(min(max(margin, -30.0), 30.0)))
            for at, sign in ((true, 1.0), (false, -1.0)):
                squares[at] += gradient * gradient
                weights[at] += sign * 0.5 * gradient / np.sqrt(squares[at])
    return weights


def single_models(pairs: Sequence[Pair], epochs: int = 4) -> list[np.ndarray]:
    """For each fold, weights of a classifier that takes single texts for captions or negatives, learned on the others.

    The last position is the intercept.
    """
    found = []
    examples = [(fold_of(pair[0]), features(pair[k]), 1.0 - k) for pair in pairs for k in (0, 1)]
    for fold in range(FOLDS):
        weights, squares = np.zeros(BUCKETS + 1), np.full(BUCKETS + 1, 1e-8)
        learned = [(np.append(at, BUCKETS), label) for own, at, label in examples if own != fold]
        for _ in range(epochs):
            for at, label in Draw("single").shuffled(learned):
                gradient = label - 1.0 / (1.0 + math.exp(-min(max(float(weights[at].sum()), -30.0), 30.0)))
                squares[at] += gradient * gradient
                weights[at] += 0.3 * gradient / np.sqrt(squares[at])
        found.append(weights)
    return found


def log_odds(weights: np.ndarray, at: np.ndarray) -> float:
    """How surely a text with these `features` is a caption, by a model of `single_models`."""
    return float(weights[np.append(at, BUCKETS)].sum())


def single_accuracy(pairs: Sequence[Pair], epochs: int = 4) -> float:
    """Percent of texts told rightly as caption or negative, one at a time, by a held-out blind classifier."""
    models = single_models(pairs, epochs)
    right = sum(
        (log_odds(models[fold_of(pair[0])], features(pair[k])) > 0) == (k == 0) for pair in pairs for k in (0, 1)
    )
    return 100 * right / (2 * len(pairs)) if pairs else math.nan


class TrigramModel:
    """A language model of captions: interpolated trigrams with absolute discounting."""

    def __init__(self, captions: Sequence[str], discount: float = 0.75) -> None:
        self.discount = discount
        self.counts: list[Counter[tuple[str, ...]]] = [Counter(), Counter(), Counter()]
        self.contexts: list[Counter[tuple[str, ...]]] = [Counter(), Counter(), Counter()]
        self.kinds: list[Counter[tuple[str, ...]]] = [Counter(), Counter(), Counter()]
        for caption in captions:
            words = ["<s>", "<s>", *tokens(caption), "</s>"]
            for at in range(2, len(words)):
                for n in range(3):
                    gram = tuple(words[at - n : at + 1])
                    if self.counts[n][gram] == 0:
                        self.kinds[n][gram[:-1]] += 1
                    self.counts[n][gram] += 1
                    self.contexts[n][gram[:-1]] += 1
        self.vocabulary = len(self.counts[0]) + 1

    def probability(self, gram: tuple[str, ...]) -> float:
        """P(last word | the words before it), for one to three words."""
        if not gram:
            return 1.0 / self.vocabulary
        n = len(gram) - 1
        lower = self.probability(gram[1:])
        total = self.contexts[n][gram[:-1]]
        if not total:
            return lower
        kept = max(self.counts[n][gram] - self.discount, 0.0) / total
        return kept + self.discount * self.kinds[n][gram[:-1]] / total * lower

    def score(self, text: str) -> float:
        """Mean log probability of a word of the text."""
        words = ["<s>", "<s>", *tokens(text), "</s>"]
        total = sum(math.log(self.probability(tuple(words[at - 2 : at + 1]))) for at in range(2, len(words)))
        return total / (len(words) - 2)


def language_model_margins(pairs: Sequence[Pair], captions: Sequence[str]) -> np.ndarray:
    """Log-likelihood a word of the caption less that of the negative, by a model of the *other* captions; (N,)."""
    margins = np.zeros(len(pairs))
    folds = np.array([fold_of(caption) for caption, _ in pairs])
    for fold in range(FOLDS):
        model = TrigramModel([caption for caption in captions if fold_of(caption) != fold])
        known: dict[str, float] = {}
        for i in np.flatnonzero(folds == fold):
            caption, negative = pairs[int(i)]
            if caption not in known:
                known[caption] = model.score(caption)
            margins[i] = known[caption] - model.score(negative)
    return margins


def accuracy(margins: np.ndarray) -> float:
    """Percent of pairs decided rightly; a tie counts half."""
    return float(100 * ((margins > 0).mean() + 0.5 * (margins == 0).mean())) if len(margins) else math.nan


def blind(pairs: Sequence[Pair], captions: Sequence[str] | None = None) -> Blind:
    """The blind accuracies of (caption, negative) pairs; `captions` feed the language model (default: the pairs')."""
    captions = sorted({caption for caption, _ in pairs}) if captions is None else captions
    lengths = np.array([len(negative) - len(caption) for caption, negative in pairs], dtype=float)
    return Blind(
        accuracy(classifier_margins(pairs)),
        single_accuracy(pairs),
        accuracy(language_model_margins(pairs, captions)),
        accuracy(lengths),
        len(pairs),
    )
