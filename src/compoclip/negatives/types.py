"""What the generators hand out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from compoclip.data.extras import Twinned

__all__ = ["Edit", "Negative"]


class Edit(NamedTuple):
    """Characters `start` to `end` of the caption (`old`) gave way to `new`. Repairs of a/an and case are not listed."""

    start: int
    end: int
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Negative:
    """A caption that is wrong about the image in one respect.

    kind: the rule's name in `KINDS`; edits: what was changed; source: "rules", "llm:MODEL" or the file it came from;
    plausibility: nats by which it reads better than its caption (worse where negative), to the captions' own runs of
    words; None where nobody has asked. twin: a true text that differs from it only in what is denied, to learn from in
    the caption's place; None for other kinds. text_only: log-odds (nats) that it is a negative, by its text alone,
    among those of its build; None where nobody has asked.
    """

    text: str
    kind: str
    edits: tuple[Edit, ...] = ()
    source: str = "rules"
    plausibility: float | None = field(default=None, compare=False)
    twin: str | None = None
    text_only: float | None = field(default=None, compare=False)

    @property
    def wrong(self) -> str:
        """The text as training takes it, with its twin where it has one."""
        return self.text if self.twin is None else Twinned(self.text, self.twin)
