"""Requests of a build: which there are, and what each one sends. A pure function of captions and settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from compoclip.config import LLMOptions
from compoclip.negatives.caption_db import Caption
from compoclip.negatives.draw import Draw
from compoclip.negatives.kinds import LLM_PREFIX
from compoclip.negatives.llm.examples import Example, draw_examples, examples, read_examples
from compoclip.negatives.llm.prompts import PROMPT_VERSION, messages, prompt_hash

SHOWN = 5  # examples a request, as DeGLA has it
BLOCKS = 16  # of captions that are shown the same examples


class LLMRequest(NamedTuple):
    """One question to the model.

    place: the caption's number in the input; k: of the requests for a caption and kind; prompt: SHA-256 of the
    messages; digest: of caption id, kind, k and the whole body, so that a reply answers the very question it was kept
    for, or none.
    """

    place: int
    caption_id: str
    kind: str
    k: int
    body: dict[str, Any]
    prompt: str
    digest: str

    @property
    def custom_id(self) -> str:
        """Its name in batch files, of letters that every service takes: at most 64 of A-Z a-z 0-9 - _."""
        return f"{self.place}-{self.kind}-{self.k}-{self.digest}"


class Questions(NamedTuple):
    """What the requests of a build depend on besides its captions; small, and can be sent to other processes."""

    kinds: tuple[str, ...]  # without "llm:"
    seed: int
    epoch: int
    options: LLMOptions
    own: Mapping[str, Sequence[Example]] | None = None

    @classmethod
    def of(cls, kinds: Sequence[str], seed: int, epoch: int, options: LLMOptions) -> Questions:
        """Settings for these kinds ("llm:swap-nouns"). Raises InputError for a file of examples that is none."""
        own = read_examples(options.examples) if options.examples else None
        return cls(tuple(name.removeprefix(LLM_PREFIX) for name in kinds), seed, epoch, options, own)

    def request(self, place: int, caption: Caption, kind: str, k: int) -> LLMRequest:
        """Question `k` about a caption. The server's seed comes from (seed, caption id, epoch, kind, k).

        Examples are those of one of `BLOCKS` blocks of captions, so that servers can keep what requests begin with.
        """
        drawn = Draw("llm", self.seed, caption.caption_id, self.epoch, kind, k).below(1 << 31)
        block = Draw("llm-block", caption.caption_id).below(BLOCKS)
        shown = draw_examples(kind, self.seed, f"block {block} of epoch {self.epoch}", k, SHOWN, self.own)
        sent = messages(kind, caption.text, shown, self.options.form, self.options.rewrites)
        body: dict[str, Any] = {
            "model": self.options.model,
            "messages": sent,
            "temperature": self.options.temperature,
            "max_tokens": self.options.max_tokens,
            "seed": drawn,
        }
        if self.options.form == "json":
            body["response_format"] = {"type": "json_object"}
        elif self.options.form == "schema":
            body["response_format"] = _schema(self.options.rewrites)
        body = {name: value for name, value in (body | dict(self.options.extra)).items() if value is not None}
        return LLMRequest(
            place, caption.caption_id, kind, k, body, prompt_hash(sent), _digest(caption.caption_id, kind, k, body)
        )

    def identity(self) -> dict[str, Any]:
        """What replies depend on, for the manifest."""
        pools = {kind: self.own[kind] if self.own and kind in self.own else examples(kind) for kind in self.kinds}
        return {
            **self.options.identity(),
            "prompt_version": PROMPT_VERSION,
            "examples_sha256": hashlib.sha256(json.dumps(pools, sort_keys=True).encode()).hexdigest(),
        }


def _schema(rewrites: int) -> dict[str, Any]:
    """What a server that knows JSON schemas is to hold the reply to."""
    texts = {"type": "array", "items": {"type": "string"}, "minItems": rewrites, "maxItems": rewrites}
    schema = {
        "type": "object",
        "properties": {"rewrites": texts},
        "required": ["rewrites"],
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "rewrites", "strict": True, "schema": schema}}


def _digest(*parts: Any) -> str:
    plain = json.dumps(parts, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.blake2b(plain.encode("ascii"), digest_size=8).hexdigest()
