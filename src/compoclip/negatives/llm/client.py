"""One request to an OpenAI-compatible server, tried once: an answer, or what kind of failure it was."""

from __future__ import annotations

import asyncio
import time
from email.utils import parsedate_to_datetime
from typing import Any

from compoclip.config import LLMOptions
from compoclip.errors import InputError, RunError
from compoclip.io import parse_json
from compoclip.negatives.llm.answers import Answer, read_answer
from compoclip.negatives.llm.guard import OverLimit, Redirected, Scrub, guard

FATAL = (401, 402, 403, 404)  # no other request would fare better
WORTH_ANOTHER_TRY = (408, 409, 425, 429)
LONGEST_WAIT = 600.0  # seconds that a server may ask to be left alone


class Transient(Exception):
    """Another try may succeed. `fault`: what went wrong, as it is counted; `wait`: seconds the server asked for."""

    def __init__(self, fault: str, detail: str = "", wait: float = 0.0) -> None:
        super().__init__(f"{fault}: {detail}" if detail else fault)
        self.fault, self.wait = fault, wait


class Rejected(Exception):
    """The server will not answer this request, however often it is asked."""


def need_openai() -> Any:
    """The package. Raises InputError where it is not installed."""
    try:
        import openai
    except ImportError:
        raise InputError(
            "llm kinds need the openai package: pip install 'compoclip[llm]' (or --llm-batch-out, which needs none)"
        ) from None
    return openai


class Client:
    """Asks a server. Its own retries are off: how often and when to try again is decided in one place, `asking.py`.

    Raises InputError where the `openai` package is missing.
    """

    def __init__(self, options: LLMOptions) -> None:
        openai = need_openai()
        self._openai, self._options = openai, options
        key = options.key()
        self._scrub = Scrub(key)
        http = openai.DefaultAsyncHttpxClient(follow_redirects=False, event_hooks={"response": [guard()]})
        self._client = openai.AsyncOpenAI(
            base_url=options.url,
            api_key=key,
            max_retries=0,
            timeout=options.timeout,
            http_client=http,
            default_headers={"Accept-Encoding": "identity"},
        )

    async def ask(self, body: dict[str, Any]) -> Answer:
        """Send a request's body. `options.timeout` is for the whole of it, so that a trickle of bytes ends too.

        Raises Transient, Rejected, or RunError where the server would refuse every request.
        """
        openai = self._openai
        rest = {name: value for name, value in body.items() if name not in ("model", "messages")}
        create = self._client.chat.completions.with_raw_response.create
        try:
            sent = create(model=body["model"], messages=body["messages"], extra_body=rest)
            raw = await asyncio.wait_for(sent, self._options.timeout)
            return self._clean(read_answer(parse_json(raw.content)))
        except (OverLimit, Redirected) as error:  # of newer versions, which do not wrap what their hooks raise
            raise self._broken(error) from None
        except (asyncio.TimeoutError, openai.APITimeoutError):
            raise Transient("time-out", f"no whole answer in {self._options.timeout:g} s") from None
        except openai.APIStatusError as error:
            raise self._judged(error) from None
        except openai.APIConnectionError as error:
            raise self._broken(error.__cause__ or error) from None
        except ValueError as error:
            if isinstance(error, (InputError, openai.OpenAIError)):
                raise
            raise Transient("unreadable-body", self._scrub(str(error))) from None

    async def close(self) -> None:
        await self._client.close()

    def _clean(self, answer: Answer) -> Answer:
        """The answer without the key, which a server may send back."""
        texts = (self._scrub(text) for text in (answer.text, answer.finish_reason, answer.model))
        text, finish_reason, model = texts
        return answer._replace(text=text, finish_reason=finish_reason, model=model)

    def _broken(self, cause: BaseException) -> Exception:
        if isinstance(cause, Redirected):
            target = self._scrub(str(cause))
            return RunError(
                f"{self._options.shown_url} redirects to {target}: captions and key are not sent on; "
                "give that address as --llm-url if it is the one you mean"
            )
        return Transient("too-large" if isinstance(cause, OverLimit) else "connection", self._scrub(str(cause)))

    def _judged(self, error: Any) -> Exception:
        status, said = int(error.status_code), self._scrub(" ".join(_said(error).split()))[:300]
        if status in FATAL or getattr(error, "code", None) == "insufficient_quota":
            who = f"{self._options.shown_url} answers {status} to model {self._options.model!r}"
            return RunError(f"{who}: {said}; {_how_to_fix(status)}")
        if status in WORTH_ANOTHER_TRY or status >= 500:
            return Transient(str(status), said, retry_after(error.response.headers))
        return Rejected(f"{status}: {said}")


def _said(error: Any) -> str:
    body = getattr(error, "body", None)
    if isinstance(body, dict):
        inner = body.get("error", body)
        said = inner.get("message") if isinstance(inner, dict) else inner
        if said:
            return str(said)
    return str(getattr(error, "message", error))


def _how_to_fix(status: int) -> str:
    if status in (401, 403):
        return "put a valid key in the environment variable of --llm-key-env, then --resume"
    if status == 404:
        return "check --llm-url (it ends in /v1) and --llm-model, then --resume"
    return "fix the account, then --resume"


def retry_after(headers: Any) -> float:
    """Seconds that a server asks to wait, from Retry-After (seconds or a date) or retry-after-ms; 0 for none."""
    try:
        return _within(float(headers["retry-after-ms"]) / 1000)
    except (KeyError, ValueError):
        pass
    value = headers.get("retry-after") or ""
    try:
        return _within(float(value))
    except ValueError:
        pass
    try:
        return _within(parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return 0.0


def _within(seconds: float) -> float:
    return min(max(seconds, 0.0), LONGEST_WAIT) if seconds == seconds else 0.0
