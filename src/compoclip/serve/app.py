"""The page and its one question, as an ASGI application; and the server around it, on loopback unless told."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import Awaitable, Callable
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from compoclip.errors import InputError
from compoclip.progress import say
from compoclip.serve.answer import Answerer
from compoclip.serve.limits import MIB, Limits, Rate, Refused, read_form

__all__ = ["application", "serve"]

STATIC = {"page.css": "text/css", "page.js": "text/javascript"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
LOCAL = ("localhost", "127.0.0.1", "::1")
Next = Callable[[Request], Awaitable[Response]]


def application(answerer: Answerer, limits: Limits, hosts: tuple[str, ...] = LOCAL) -> Starlette:
    """GET / is the page, POST / its answer (a whole page, a part of one for `X-Part: answer`, or JSON where that is
    accepted). hosts: names under which it may be called; "*" for any.

    Another site's page in the same browser can neither read it (no CORS, names are checked against DNS rebinding) nor
    post to it (Origin is checked).

    A Refused request is answered in one sentence. answerer: holds the models; limits: what one request and one
    address may ask.

    Example: application(Answerer([("tiny", load("tiny"))], Limits()), Limits())
    """
    pages = Environment(loader=PackageLoader("compoclip.serve"), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    rate, waiting = Rate(limits.rate), Waiting(limits.waiting)

    def render(name: str, status: int = 200, **values: Any) -> HTMLResponse:
        facts = {"models": [n for n, _ in answerer.models], "limits": limits, "mib": limits.upload // MIB}
        values = {"answer": None, "error": "", "captions": [], **facts, **values}
        return HTMLResponse(pages.get_template(name).render(values), status)

    async def page(request: Request) -> Response:
        return render("page.html")

    async def answer(request: Request) -> Response:
        part = request.headers.get("x-part") == "answer"
        name = "answer.html" if part else "page.html"
        captions: list[str] = []
        try:
            address = request.client.host if request.client else ""
            if not rate.allows(address):
                raise Refused(429, f"more than {limits.rate} requests in a minute: wait a little")
            with waiting:
                data, captions = await asyncio.wait_for(read_form(request, limits), limits.seconds)
                found = await run_in_threadpool(answerer, data, captions)
        except Refused as error:
            return told(render, name, request, error.status, error.why, captions)
        except InputError as error:
            return told(render, name, request, 400, str(error), captions)
        except asyncio.TimeoutError:
            return told(render, name, request, 408, f"the upload took longer than {limits.seconds:g} seconds", captions)
        except ClientDisconnect:
            return Response(status_code=400)
        if wants_json(request):
            return JSONResponse({key: value for key, value in found.items() if key != "views"})
        return render(name, answer=found, captions=captions)

    async def static(request: Request) -> Response:
        name = request.url.path.rsplit("/", 1)[-1]  # one of STATIC: no other path has a route
        body = resources.files("compoclip.serve").joinpath("static", name).read_bytes()
        return Response(body, media_type=STATIC[name])

    async def guard(request: Request, call: Next) -> Response:
        if not known_host(request.headers.get("host", ""), hosts):
            return Response("this server is not called by that name\n", 421, HEADERS)
        origin = request.headers.get("origin")
        if origin not in (None, "null") and origin.partition("://")[2] != request.headers.get("host"):
            return Response("another site's page may not ask this one\n", 403, HEADERS)
        response = await call(request)
        response.headers.update(HEADERS)
        return response

    async def stopped(request: Request, error: Exception) -> Response:
        return Response("the server failed on this request\n", 500, HEADERS)

    routes = [Route("/", page, methods=["GET"]), Route("/", answer, methods=["POST"])]
    routes += [Route(f"/static/{name}", static, methods=["GET"]) for name in STATIC]
    middleware = [Middleware(BaseHTTPMiddleware, dispatch=guard)]
    return Starlette(routes=routes, middleware=middleware, exception_handlers={Exception: stopped})


def told(render: Any, name: str, request: Request, status: int, why: str, captions: list[str]) -> Response:
    """A refusal in the form that was asked for."""
    if wants_json(request):
        return JSONResponse({"error": why}, status)
    response: Response = render(name, status, error=why, captions=captions)
    return response


def wants_json(request: Request) -> bool:
    return request.headers.get("accept", "").startswith("application/json")


def known_host(header: str, hosts: tuple[str, ...]) -> bool:
    """Whether a Host header names this server, whatever the port.

    header: as it came; hosts: the names.

    Example: known_host("localhost:8000", ("localhost",))
    """
    name = header.rsplit("]", 1)[0].removeprefix("[") if header.startswith("[") else header.partition(":")[0]
    return "*" in hosts or name.lower() in hosts


class Waiting:
    """Counts the requests that are being answered; refuses those over the limit."""

    def __init__(self, most: int) -> None:
        self.most, self.now = most, 0

    def __enter__(self) -> None:
        if self.now >= self.most:
            raise Refused(503, "too many requests are waiting: try again in a moment")
        self.now += 1

    def __exit__(self, *_: object) -> None:
        self.now -= 1


def serve(
    model: str,
    base: str | None = None,
    host: str = "127.0.0.1",
    port: int = 8000,
    device: str = "cpu",
    limits: Limits | None = None,
) -> None:
    """Serve the page until it is stopped. model, base: as `compoclip.load` takes them.

    Nothing is stored: uploads stay in memory until they are answered, and no request is logged. Raises InputError for
    a model that cannot be loaded, and an address that cannot be had.

    host, port: where it listens, on this machine alone unless told; device: where the models run; limits: what
    strangers may ask.

    Example: serve("runs/fsc", base="ViT-B-32:openai")
    """
    import socket

    import uvicorn

    from compoclip.models import load

    limits = limits or Limits()
    names = [name for name in (base, model) if name]
    answerer = Answerer([(name, load(name, device)) for name in names], limits)
    answerer.warm_up()
    if answerer.without_suggestions:
        say(f"no suggested negatives: {answerer.without_suggestions}")
    loopback = host == "localhost" or _is_loopback(host)
    hosts = LOCAL if loopback else ("*",)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise InputError(f"{host} port {port}: {error.strerror or error}; choose another --port") from None
        shown = f"[{host}]" if ":" in host else host
        say(f"http://{shown}:{listener.getsockname()[1]}/ shows {', '.join(names)}; Ctrl-C ends it")
        if not loopback:
            say("warning: other machines can reach this page; it asks for no password")
        app = application(answerer, limits, hosts)
        config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_keep_alive=5, server_header=False)
        with contextlib.suppress(KeyboardInterrupt):  # the way to end it, so no failure
            uvicorn.Server(config).run(sockets=[listener])


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
