"""What a server says to a request, online or in a batch file, and how many tokens that took."""

from __future__ import annotations

from typing import Any, NamedTuple

CHARACTERS = 4  # a token, where a server does not count


class Answer(NamedTuple):
    """A reply. `error`: why the server will never answer (a status and its words); tokens: None where it told none."""

    text: str
    finish_reason: str = ""
    model: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    error: str = ""


def read_answer(body: Any) -> Answer:
    """The first choice of a chat completion. Raises ValueError for anything else."""
    try:
        choice = body["choices"][0]
        message = choice["message"]
        content = message.get("content")
        usage = body.get("usage") or {}
        spent = [usage.get("prompt_tokens"), usage.get("completion_tokens")]
    except (AttributeError, IndexError, KeyError, TypeError):
        raise ValueError("no chat completion") from None
    if content is None:
        content = message.get("refusal") or ""
    if not isinstance(content, str):
        raise ValueError("the message is no text")
    known = [n if isinstance(n, int) and not isinstance(n, bool) and n >= 0 else None for n in spent]
    return Answer(content, str(choice.get("finish_reason") or ""), str(body.get("model") or ""), known[0], known[1])


def prompt_tokens(body: dict[str, Any]) -> int:
    """Tokens of a request's messages, estimated."""
    return _estimated(sum(len(message["content"]) for message in body["messages"]))


def counted(answer: Answer, body: dict[str, Any]) -> Answer:
    """The answer with tokens estimated where the server did not count them."""
    if answer.prompt_tokens is None:
        answer = answer._replace(prompt_tokens=0 if answer.error else prompt_tokens(body))
    if answer.completion_tokens is None:
        answer = answer._replace(completion_tokens=_estimated(len(answer.text)))
    return answer


def _estimated(characters: int) -> int:
    return -(-characters // CHARACTERS)
