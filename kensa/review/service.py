"""The reviewers' page over HTTP, for browsers on this machine that know the address.

The address holds a token, and everything else is not found. What changes something must be JSON from this very page:
another page of the internet can neither know the token nor forge the origin. Nothing of a part is ever markup.
"""

from __future__ import annotations

import hmac
import json
import secrets
import signal
import socket
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from kensa.review.session import ReviewSession
from tasks.core.errors import BadSetting, DecidedMeanwhile, KensaError
from tasks.core.json_form import Json
from tasks.core.log_lines import say, uvicorn_logging

HOST = "127.0.0.1"
HOSTS = [HOST, "localhost"]
MAX_BODY = 16 * 2**10  # bytes of an answer
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # the address is the key
    "Cache-Control": "no-store",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'nonce-{}'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class _Refused(Exception):  # an answer, not an error of ours
    def __init__(self, status: int, reason: str, **more: int) -> None:
        super().__init__(reason)
        self.status, self.more = status, more


class ReviewService:
    """The application of one review; token: what the address holds."""

    def __init__(self, session: ReviewSession, token: str) -> None:
        self.session, self.token = session, token

    def application(self) -> Starlette:
        """As ASGI."""
        routes = [
            Route("/{token}/", self.start),
            Route("/{token}/parts/{number:int}", self.part),
            Route("/{token}/decisions", self.decide, methods=["POST"]),
            Route("/{token}/publish", self.publish, methods=["POST"]),
        ]
        hosts = Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS, www_redirect=False)
        application = Starlette(routes=routes, middleware=[hosts])
        application.router.redirect_slashes = False
        return application

    async def start(self, request: Request) -> Response:
        """The first part on which nobody decided."""
        if not self._knows_token(request):
            return _not_found()
        number = await run_in_threadpool(self.session.first_open)
        return RedirectResponse(f"/{self.token}/parts/{number}", 303, HEADERS)

    async def part(self, request: Request) -> Response:
        """The page of a part."""
        number = request.path_params["number"]
        if not self._knows_token(request) or not 1 <= number <= len(self.session.items):
            return _not_found()
        nonce = secrets.token_urlsafe(16)
        try:
            page = await run_in_threadpool(self.session.page, number, nonce)
        except KensaError as error:
            return PlainTextResponse(f"{error}\n", 500, HEADERS)
        return HTMLResponse(page, headers={**HEADERS, "Content-Security-Policy": POLICY.format(nonce)})

    async def decide(self, request: Request) -> Response:
        """Keep a decision."""
        return await self._answer(request, self.session.decide)

    async def publish(self, request: Request) -> Response:
        """Bring the decisions to the dataset."""
        return await self._answer(request, self.session.publish)

    async def _answer(self, request: Request, work: Callable[[Json], Json]) -> Response:
        if not self._knows_token(request):
            return _not_found()
        try:
            _require_own_page(request)
            values = await _body(request)
            return JSONResponse(await run_in_threadpool(work, values), headers=HEADERS)
        except _Refused as refused:
            headers = {**HEADERS, "Connection": "close"}
            return JSONResponse({"refused": str(refused)}, refused.status, headers)
        except DecidedMeanwhile as error:
            known = await run_in_threadpool(self.session.decisions_on, values["record"])
            return JSONResponse({"refused": str(error), "known": known}, 409, HEADERS)
        except KensaError as error:
            return JSONResponse({"refused": str(error)}, 400 if error.exit_code == 2 else 500, HEADERS)

    def _knows_token(self, request: Request) -> bool:
        return hmac.compare_digest(request.path_params["token"].encode(), self.token.encode())


def _not_found() -> Response:
    return PlainTextResponse("no such page\n", 404, HEADERS)


def _require_own_page(request: Request) -> None:
    """Raise _Refused unless a script of this very page sends JSON, as the browser says."""
    own = f"http://{request.headers.get('host', '')}"
    if request.headers.get("origin") != own or request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise _Refused(403, "expected the page itself to send this")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise _Refused(415, "expected application/json")


async def _body(request: Request) -> Json:
    """The JSON object of a request, read no further than the cap."""
    content = b""
    try:
        async for chunk in request.stream():
            content += chunk
            if len(content) > MAX_BODY:
                raise _Refused(413, f"expected at most {MAX_BODY:,} bytes")
        values = json.loads(content)
    except ClientDisconnect:
        raise _Refused(400, "expected a whole request") from None
    except (ValueError, RecursionError):
        raise _Refused(400, "expected JSON") from None
    if not isinstance(values, dict):
        raise _Refused(400, "expected a JSON object")
    return values


def new_token() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(24)


def require_free(port: int) -> None:
    """Raise BadSetting for a port that is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise BadSetting(f"--port {port}: cannot listen there ({error.strerror}); choose another") from None


def serve(session: ReviewSession, port: int, token: str) -> None:
    """Serve the page until SIGINT or SIGTERM, and say its address."""
    say(f"kensa review: {len(session.items)} parts at http://{HOST}:{port}/{token}/ ; Ctrl-C stops it")
    for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn ends in order, and then raises the signal once more
        signal.signal(number, lambda *_: None)
    application = ReviewService(session, token).application()
    uvicorn.run(application, host=HOST, port=port, log_level="warning", access_log=False, **uvicorn_logging())
    say("kensa review: stopped")
