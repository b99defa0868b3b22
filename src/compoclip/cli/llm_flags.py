"""The `--llm-...` flags that commands share, and the settings they make."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from compoclip.errors import InputError

if TYPE_CHECKING:
    from compoclip.negatives.llm.options import LLMOptions


def _flag(*names: str, help: str) -> Any:
    return typer.Option(*names, help=help)


Url = Annotated[str, _flag("--llm-url", help="OpenAI-compatible server, http://host:port/v1.")]
Model = Annotated[str, _flag("--llm-model", help="Model's name, as the server knows it.")]
KeyEnv = Annotated[str | None, _flag("--llm-key-env", help="Variable that holds the key. [OPENAI_API_KEY]")]
Rewrites = Annotated[int, _flag("--llm-rewrites", help="Rewrites a request.")]
Rounds = Annotated[int, _flag("--llm-rounds", help="Requests a caption and kind, while all rewrites are refused.")]
Concurrency = Annotated[int, _flag("--llm-concurrency", help="Requests at once.")]
Timeout = Annotated[float, _flag("--llm-timeout", help="Seconds for a whole request.")]
Retries = Annotated[int, _flag("--llm-retries", help="Further tries of a failed request.")]
Budget = Annotated[float | None, _flag("--llm-budget", help="Stop before more US dollars are spent.")]
PriceIn = Annotated[float | None, _flag("--llm-price-in", help="US dollars a million prompt tokens.")]
PriceOut = Annotated[float | None, _flag("--llm-price-out", help="US dollars a million reply tokens.")]
Form = Annotated[str, _flag("--llm-form", help="json or plain replies.")]
Temperature = Annotated[float, _flag("--llm-temperature", help="Temperature.")]
MaxTokens = Annotated[int, _flag("--llm-max-tokens", help="Tokens a reply may have.")]
Extra = Annotated[str | None, _flag("--llm-extra", help="More fields of a request, as a JSON object; null drops one.")]
Examples = Annotated[Path | None, _flag("--llm-examples", help="YAML of in-context examples in place of ours.")]
BatchOut = Annotated[Path | None, _flag("--llm-batch-out", help="Write open requests to this JSONL file, and stop.")]
BatchIn = Annotated[list[Path] | None, _flag("--llm-batch-in", help="Take replies from a batch's results; repeatable.")]
AllowMissing = Annotated[bool, _flag("--llm-allow-missing", help="Finish though requests have no reply.")]


def settings(extra: str | None, **given: Any) -> LLMOptions | None:
    """The settings of the flags; None where no model is named. Raises InputError for flags that need one."""
    from compoclip.negatives.llm.options import LLMOptions, read_extra

    if not given["model"]:
        if given["url"] or given.get("batch_out") or given.get("batch_in"):
            raise InputError("which model? add --llm-model NAME")
        return None
    return LLMOptions(**given, extra=read_extra(extra))
