"""How often each word should come in, so that none is commoner among the negatives than among the captions.

A word that stands in for many others ("woman") would come in more often than captions say it, one that stands in for
few hardly ever; text alone tells both. So the weights of the candidates are fitted until as many of each word come in
as captions have: iterative proportional fitting (Deming and Stephan 1940) of the table of what gives way to what.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

ROUNDS = 30
MOST = 64.0  # times as heavy, or as light, as by its own count at most
STEPS = 1 << 10  # of a count in which weights are given out


def fair_weights(gives_way_to: Mapping[str, Sequence[str]], counts: Mapping[str, int]) -> dict[str, int]:
    """Integer weights of the words that come in, by which each is drawn about as often as `counts` says.

    gives_way_to: word -> the words that can stand in for it. counts: how often captions have a word.
    Plain sums in a fixed order, so that every machine finds the same.
    """
    comes = sorted({word for others in gives_way_to.values() for word in others if counts.get(word, 0) > 0})
    goes = [(counts[old], [word for word in others if counts.get(word, 0) > 0]) for old, others in gives_way_to.items()]
    goes = [(count, others) for count, others in goes if count > 0 and others]
    wanted = sum(counts[word] for word in comes)
    if not wanted:
        return {}
    scale = sum(count for count, _ in goes) / wanted
    weights = {word: float(counts[word]) for word in comes}
    for _ in range(ROUNDS):
        inflow = dict.fromkeys(comes, 0.0)
        for count, others in goes:
            part = count / sum([weights[word] for word in others])
            for word in others:
                inflow[word] += part * weights[word]
        for word in comes:
            fitted = weights[word] * counts[word] * scale / inflow[word]
            weights[word] = min(max(fitted, counts[word] / MOST), counts[word] * MOST)
    return {word: max(1, round(STEPS * weight)) for word, weight in weights.items()}
