"""What a build by language model is told: the server, what a request contains, and how long to insist."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from compoclip.config.settings import Settings
from compoclip.errors import InputError

__all__ = ["LLMOptions"]

MOST_AT_ONCE = 1000  # connections that the client's pool keeps open
RESERVED = ("model", "messages")  # what makes a request ours


class LLMOptions(Settings):
    """Settings of the `--llm-...` flags; `url` is "" where replies come from files only.

    backoff: seconds, the first retry's longest wait. extra: fields added to a request's body; None takes one out.
    """

    model: str = Field(description="model's name, as the server knows it")
    url: str = Field("", description="OpenAI-compatible server, http://host:port/v1")
    key_env: str | None = Field(None, description="variable that contains the key; else OPENAI_API_KEY where it is set")
    rewrites: int = Field(1, ge=1, description="rewrites a request")
    rounds: int = Field(1, ge=1, description="requests a caption and kind, while all rewrites are refused")
    concurrency: int = Field(64, ge=1, le=MOST_AT_ONCE, description="requests at once")
    timeout: float = Field(120.0, gt=0, description="seconds for a whole request")
    retries: int = Field(6, ge=0, description="further tries of a failed request")
    backoff: float = 0.5
    budget: float | None = Field(None, ge=0, description="stop before more US dollars are spent")
    price_in: float | None = Field(None, ge=0, description="US dollars a million prompt tokens")
    price_out: float | None = Field(None, ge=0, description="US dollars a million reply tokens")
    form: Literal["json", "schema", "plain"] = Field("json", description="form of the replies")
    temperature: float = Field(0.7, ge=0, description="temperature")
    max_tokens: int = Field(256, ge=1, description="tokens a reply may have")
    extra: Mapping[str, Any] = Field({}, description="more fields of a request, as a JSON object; null drops one")
    examples: Path | None = Field(None, description="YAML of in-context examples in place of ours")
    batch_out: Path | None = Field(None, description="write open requests to this JSONL file, and stop")
    batch_in: tuple[Path, ...] = Field((), description="take replies from a batch's results; repeatable")
    allow_missing: bool = Field(False, description="finish though requests have no reply")

    @model_validator(mode="after")
    def _fits_together(self) -> LLMOptions:
        if not self.model.strip():
            raise ValueError("`model` is empty: llm kinds need the name of one")
        if self.url and not self.url.startswith(("http://", "https://")):
            raise ValueError(f"`url` is {self.shown_url}: write http://host:port/v1 or https://host/v1")
        if self.budget is not None and (self.price_in is None or self.price_out is None):
            raise ValueError("`budget` needs `price_in` and `price_out` (US dollars a million tokens)")
        if reserved := [name for name in RESERVED if name in self.extra]:
            raise ValueError(f"`extra` cannot set {', '.join(reserved)}, which have settings of their own")
        return self

    def identity(self) -> dict[str, Any]:
        """What replies depend on, for the manifest; server, patience and money are none of it."""
        return {
            "model": self.model,
            "rewrites": self.rewrites,
            "rounds": self.rounds,
            "form": self.form,
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "extra": dict(self.extra),
        }

    @property
    def shown_url(self) -> str:
        """The server's address for messages, without a password or a query that may contain one."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def key(self) -> str:
        """The key to send. Servers of one's own want none, but the client must be given some text."""
        found = os.environ.get(self.key_env or "OPENAI_API_KEY", "").strip()  # a line's end is no part of a key
        if self.key_env and not found:
            raise InputError(f"--llm-key-env {self.key_env}: that environment variable is not set")
        return found or "none"


def read_extra(text: str | None) -> dict[str, Any]:
    """`--llm-extra '{"top_p": 0.9}'` as a dictionary. Raises InputError for what is no JSON object."""
    if not text:
        return {}
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"--llm-extra is not JSON ({error.msg}); write for example '{{\"top_p\": 0.9}}'") from None
    if not isinstance(value, dict):
        raise InputError("--llm-extra is a JSON object, for example '{\"top_p\": 0.9}'")
    return value
