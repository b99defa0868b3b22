"""The `--llm-...` flags that commands share, and the settings they make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compoclip.cli.fields import flags_of, settings_of
from compoclip.config import LLMOptions
from compoclip.errors import InputError

PREFIX = "llm_"  # of the flags' names among a command's fields
FLAGS = flags_of(LLMOptions, "backoff", prefix=PREFIX)


def asked(fields: Mapping[str, Any], defaults: Mapping[str, Any] | None = None) -> LLMOptions | None:
    """The settings of the flags; None where no model is named. Raises InputError for flags that need one."""
    from compoclip.config.llm import read_extra

    given = {name: fields.get(PREFIX + name) for name in FLAGS}
    given = dict(defaults or {}) | {name: value for name, value in given.items() if value is not None}
    if not given.get("model"):
        if any(given.get(name) for name in ("url", "batch_out", "batch_in")):
            raise InputError("which model? add --llm-model NAME")
        return None
    return settings_of(LLMOptions, FLAGS, given | {"extra": read_extra(given.get("extra"))})
