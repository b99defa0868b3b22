"""Rules and replies together: the rewrites of a caption take their turn beside what rules have made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from compoclip.negatives.caption_db import Caption
from compoclip.negatives.draw import Draw
from compoclip.negatives.judge import normalised
from compoclip.negatives.kinds import LLM_PREFIX
from compoclip.negatives.llm.answers import Answer
from compoclip.negatives.llm.requests import Questions
from compoclip.negatives.llm.validate import validate
from compoclip.negatives.types import Negative

NO_REPLY = "no-reply"  # counted where a build was finished though a request was open


def merge(
    kinds: Sequence[str],
    per_caption: int,
    questions: Questions,
    place: int,
    caption: Caption,
    by_rule: Sequence[Negative],
    kept: Mapping[str, Answer],
    refusals: Counter[str],
) -> list[Negative]:
    """At most `per_caption` negatives of a caption: one of each kind in turn, then a second of each, and so on.

    kinds: of both sorts, in the order asked for; by_rule: what the rules have made; kept: replies by request digest.
    `refusals` counts by "kind/reason" every rewrite that was refused, wanted or not.
    """
    source = f"{LLM_PREFIX}{questions.options.model}"
    turns: list[list[Negative]] = []
    for name in kinds:
        if not name.startswith(LLM_PREFIX):
            turns.append([negative for negative in by_rule if negative.kind == name])
            continue
        passed, reasons, still_open = validate(questions, place, caption, name.removeprefix(LLM_PREFIX), kept)
        refusals.update({f"{name}/{reason}": count for reason, count in reasons.items()})
        if still_open is not None:
            refusals[f"{name}/{NO_REPLY}"] += 1
        turns.append([Negative(text, name, edits, source) for text, edits in passed])
    if per_caption < len(turns):  # as the rules do it, so that every kind comes up over a set of captions
        turns = Draw(questions.seed, caption.caption_id, questions.epoch, "order").shuffled(turns)
    found: list[Negative] = []
    earlier: set[str] = set()
    while any(turns) and len(found) < per_caption:
        for turn in turns:
            while turn and len(found) < per_caption:
                negative = turn.pop(0)
                plain = normalised(negative.text)
                if plain not in earlier:
                    earlier.add(plain)
                    found.append(negative)
                    break
                refusals[f"{negative.kind}/repeated"] += 1
    return found
