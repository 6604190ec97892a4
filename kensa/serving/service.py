"""The service: `POST /v1/verdicts`, `GET /health`, `/ready`, `/metrics`, `/openapi.json` and `/docs`."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from kensa.serving.answers import answer_body
from kensa.serving.bodies import Parts, Refused, read_parts
from kensa.serving.champion import CurrentRelease
from kensa.serving.kept_verdicts import VerdictKeeper
from kensa.serving.metrics import CONTENT_TYPE, ServiceMetrics
from kensa.serving.openapi import description, page
from kensa.serving.served_release import ServedRelease
from kensa.serving.table_process import TableReaders
from kensa.serving.turns import Turns

BODY_SECONDS = 30  # in which a body must have come
# Without a token, a page of the internet whose name was made to point to this machine must not use it.
LOCAL_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
PAGE_POLICY = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'none'"}


@dataclass(frozen=True)
class ServiceLimits:
    """at_once: requests that are judged at the same time; queue: others that wait; max_body: bytes of a body."""

    at_once: int = 2
    queue: int = 64
    max_body: int = 16 * 2**20
    token: str | None = field(default=None, repr=False)


class Service:
    """The application around the release of the moment."""

    def __init__(
        self,
        current: CurrentRelease,
        limits: ServiceLimits = ServiceLimits(),
        keeper: VerdictKeeper | None = None,
    ) -> None:
        self.current, self.limits, self.keeper = current, limits, keeper
        self.turns = Turns(limits.at_once, limits.queue)
        self.metrics = ServiceMetrics(current, self.turns, keeper)
        self.tables = TableReaders()
        self.threads = ThreadPoolExecutor(limits.at_once, thread_name_prefix="verdicts")

    def application(self) -> Starlette:
        """As ASGI."""
        routes = [
            Route("/v1/verdicts", self.verdicts, methods=["POST"]),
            Route("/v1/release", self.release),
            Route("/health", self.health),
            Route("/ready", self.ready),
            Route("/metrics", self.read_metrics),
            Route("/openapi.json", self.openapi),
            Route("/docs", self.docs),
        ]
        hosts = ["*"] if self.limits.token else LOCAL_HOSTS
        middleware = [Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)]
        return Starlette(routes=routes, middleware=middleware, lifespan=self._lifespan)

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        self.current.follow()
        if self.keeper:
            self.keeper.start()
        yield
        self.current.stop()
        self.threads.shutdown()
        self.tables.close()
        if self.keeper:
            self.keeper.close()

    async def verdicts(self, request: Request) -> Response:
        """Judge the maps of one request, all by the same release."""
        began = time.perf_counter()
        try:
            self._require_token(request)
            async with self.turns.admit():
                response = await self._judge(request)
        except Refused as refused:
            self.metrics.requests.labels(str(refused.status)).inc()
            # Closed, so that nobody goes on reading a body that is refused.
            headers = {**HEADERS, **refused.headers, "Connection": "close"}
            return JSONResponse({"refused": str(refused)}, refused.status, headers)
        self.metrics.requests.labels("200").inc()
        self.metrics.seconds.observe(time.perf_counter() - began)
        return response

    async def _judge(self, request: Request) -> Response:
        body = await self._body(request)
        kind, accepted = request.headers.get("content-type", ""), request.headers.get("accept", "")
        async with self.turns.turns:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self.threads, self._answer, kind, body, accepted)

    def _answer(self, kind: str, body: bytes, accepted: str) -> Response:
        release = self.current.release  # once: another may take its place meanwhile
        parts = read_parts(kind, body, release.data, self.tables.read, partial(self._photographs, release))
        verdicts = release.judge(parts.maps)
        media_type, content = answer_body(verdicts, parts, accepted)
        self.metrics.count(verdicts, parts.registered)
        if self.keeper:
            self.keeper.add(verdicts, parts)
        return Response(content, headers={**HEADERS, "Kensa-Release": verdicts.release}, media_type=media_type)

    def _photographs(self, release: ServedRelease, kind: str, body: bytes) -> Parts:
        if release.standard is None:
            raise Refused(415, f"Content-Type: expected maps, found photographs: {release.takes_maps_alone}")
        return self.tables.read_photographs(kind, body, release.standard)

    async def _body(self, request: Request) -> bytes:
        """The body, read no further than the cap and waited for no longer than the limit."""
        most, chunks, size = self.limits.max_body, [], 0
        if int(request.headers.get("content-length") or 0) > most:
            raise Refused(413, f"expected a body of at most {most:,} bytes")
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > most:
                        raise Refused(413, f"expected a body of at most {most:,} bytes")
                    chunks.append(chunk)
        except TimeoutError:
            raise Refused(408, f"expected the whole body within {BODY_SECONDS} s") from None
        except ClientDisconnect:
            raise Refused(400, "expected the whole body, found the connection closed") from None
        return b"".join(chunks)

    def _require_token(self, request: Request) -> None:
        if self.limits.token is None:
            return
        expected = f"Bearer {self.limits.token}".encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(request.headers.get("authorization", "").encode("latin-1"), expected):
            raise Refused(401, "expected Authorization: Bearer with the token", **{"WWW-Authenticate": "Bearer"})

    async def release(self, request: Request) -> Response:
        """What is known of the release: map size, modes, thresholds."""
        release = self.current.release
        return self._with_token(request, {**release.facts, "digest": release.digest})

    def _with_token(self, request: Request, content: dict[str, Any]) -> Response:
        try:
            self._require_token(request)
        except Refused as refused:
            return JSONResponse({"refused": str(refused)}, refused.status, {**HEADERS, **refused.headers})
        return JSONResponse(content, headers=HEADERS)

    async def health(self, request: Request) -> Response:
        """That the process lives, which release judges, and what is wrong: why that is not the champion, and others."""
        release, problems = self.current.release, [self.current.problem]
        if self.keeper and self.keeper.problem:
            problems.append(f"verdicts cannot be kept: {self.keeper.problem}")
        problem = "; ".join(filter(None, problems))
        status = "warning" if problem else "ok"
        return JSONResponse({"status": status, "release": release.version, "problem": problem}, headers=HEADERS)

    async def ready(self, request: Request) -> Response:
        """200 while there is a place for a request, else 503."""
        full = self.turns.admitted >= self.turns.most
        content = {"status": "full" if full else "ready", "release": self.current.release.version}
        return JSONResponse(content, 503 if full else 200, HEADERS)

    async def read_metrics(self, request: Request) -> Response:
        """Prometheus' text."""
        answer = self._with_token(request, {})
        return answer if answer.status_code != 200 else Response(self.metrics.text(), media_type=CONTENT_TYPE)

    async def openapi(self, request: Request) -> Response:
        """The description of this interface."""
        return JSONResponse(description(self.current.release, self.limits), headers=HEADERS)

    async def docs(self, request: Request) -> Response:
        """The same as a page to read."""
        return HTMLResponse(page(description(self.current.release, self.limits)), headers={**HEADERS, **PAGE_POLICY})
