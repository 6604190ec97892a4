"""Receives the Hub's push: checks it, notes the new revision durably, tells Prefect, answers 202.

    KENSA_WEBHOOK_SECRET=… python -m flows.service.webhook [--host 127.0.0.1] [--port 4280] [--lines kensa.toml]

Prefect's own webhooks are Cloud only. An accepted delivery is in the ledger before the answer leaves;
what Prefect does not take at that moment it is told a little later.
"""

from __future__ import annotations

import argparse
import asyncio
import hmac
import json
import os
import re
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from flows.service.events import announce_due_versions
from flows.service.ledger import Ledger
from flows.service.lines import LINES_FILE, FactoryConfig, read_lines
from flows.service.server import configured_server
from tasks.core.errors import BadSetting, KensaError, ServerUnreachable

MAX_BODY_BYTES = 64 * 1024
BODY_SECONDS = 10  # seconds in which a body must have come
RETRY_AFTER_SECONDS = 20  # seconds after which Prefect is told of what it did not take
MAX_CONNECTIONS = 64
SHA = re.compile(r"[0-9a-f]{40}")


@dataclass
class TokenBucket:
    """A token bucket: `per_second` deliveries on average, `burst` at once."""

    per_second: float = 100
    burst: float = 200
    tokens: float = field(init=False)
    last: float = field(init=False, default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.tokens = self.burst

    def allows(self) -> bool:
        """Take one token, if there is one."""
        now = time.monotonic()
        self.tokens = min(self.burst, self.tokens + (now - self.last) * self.per_second)
        self.last = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class Refused(Exception):  # an answer, not an error of ours
    """A delivery that is not let in: status and reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def receiver(lines: FactoryConfig, ledger: Ledger, secret: str, rate: TokenBucket | None = None) -> Starlette:
    """The application with its two routes, `POST /webhook` and `GET /health`."""
    bucket, bell = rate or TokenBucket(), asyncio.Event()

    async def webhook(request: Request) -> JSONResponse:
        try:
            _require_secret(request, secret)
            if not bucket.allows():  # after the secret: a stranger must not use up the sender's share
                raise Refused(429, "too many deliveries; come again")
            news = _news(await _body(request), lines)
        except Refused as refused:
            # Closed, so that nobody goes on reading a body that is refused.
            return JSONResponse({"refused": str(refused)}, refused.status, {"Connection": "close"})
        new = [{"line": line, "revision": sha} for line, sha in news if ledger.note(line, sha)]
        if new:
            bell.set()
        return JSONResponse({"noted": new, "known": len(news) - len(new)}, 202)

    async def health(request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok", "lines": sorted(lines.by_name), "versions": len(ledger.versions())})

    @asynccontextmanager
    async def telling(app: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(_tell_at(bell, ledger))
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    routes = [Route("/webhook", webhook, methods=["POST"]), Route("/health", health)]
    return Starlette(routes=routes, lifespan=telling)


async def _tell_at(bell: asyncio.Event, ledger: Ledger) -> None:
    """Tell Prefect at every ring, and now and then without one; one at a time, however fast they ring."""
    while True:
        bell.clear()
        await asyncio.to_thread(_tell, ledger)
        with suppress(TimeoutError):
            await asyncio.wait_for(bell.wait(), RETRY_AFTER_SECONDS)


def _tell(ledger: Ledger) -> None:
    """Tell Prefect of what is due; what it does not take stays due."""
    try:
        announce_due_versions(ledger, configured_server())
    except ServerUnreachable as error:
        print(f"kensa: {error}; noted, and told later", file=sys.stderr)


def _require_secret(request: Request, secret: str) -> None:
    given = request.headers.get("X-Webhook-Secret", "")
    if not hmac.compare_digest(given.encode("latin-1"), os.fsencode(secret)):  # the bytes as they were sent
        raise Refused(401, "wrong or missing X-Webhook-Secret")


async def _body(request: Request) -> bytes:
    """The body, read no further than the cap and waited for no longer than the limit."""
    body = b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise Refused(413, f"expected at most {MAX_BODY_BYTES} bytes")
    except TimeoutError:
        raise Refused(408, f"expected the whole body within {BODY_SECONDS} s") from None
    except ClientDisconnect:
        raise Refused(400, "expected the whole body, found the connection closed") from None
    return body


def _news(body: bytes, lines: FactoryConfig) -> list[tuple[str, str]]:
    """The (line, revision) pairs that a delivery announces; Refused says why there are none."""
    told = _parsed(body)
    repo, event = _inner(told, "repo"), _inner(told, "event")
    if repo.get("type") != "dataset":
        raise Refused(422, "expected repo.type dataset")
    if not str(event.get("scope", "")).startswith("repo.content"):
        raise Refused(422, "expected event.scope repo.content")
    watched = [line for line in lines.by_name.values() if line.dataset == repo.get("name")]
    if not watched:
        raise Refused(403, "this dataset is not on the list of lines")
    heads = _heads(told)
    news = [(line.name, heads[line.branch]) for line in watched if line.branch in heads]
    if not news:
        raise Refused(422, "no watched branch has a new commit in updatedRefs")
    return news


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise Refused(400, "expected a JSON object")
    return told


def _inner(told: dict[str, Any], name: str) -> dict[str, Any]:
    inner = told.get(name)
    if not isinstance(inner, dict):
        raise Refused(422, f"expected an object {name}")
    return inner


def _heads(told: dict[str, Any]) -> dict[str, str]:
    """Branch → new commit. `newSha` is null where a branch was deleted; pull requests are other refs."""
    refs = told.get("updatedRefs")
    rows = [row for row in refs if isinstance(row, dict)] if isinstance(refs, list) else []
    return {
        str(row.get("ref", "")).removeprefix("refs/heads/"): row["newSha"]
        for row in rows
        if str(row.get("ref", "")).startswith("refs/heads/") and _is_sha(row.get("newSha"))
    }


def _is_sha(value: Any) -> bool:
    """Whether it is a commit; a number of forty digits is none."""
    return isinstance(value, str) and SHA.fullmatch(value) is not None


def main(words: list[str] | None = None) -> int:
    """Serve until stopped; refuses to start without a secret."""
    command = argparse.ArgumentParser(prog="python -m flows.service.webhook")
    command.add_argument("--host", default="127.0.0.1")
    command.add_argument("--port", type=int, default=4280)
    command.add_argument("--lines", type=Path, default=LINES_FILE)
    arguments = command.parse_args(words)
    try:
        secret = os.environ.get("KENSA_WEBHOOK_SECRET", "")
        if len(secret) < 16:
            raise BadSetting(
                "KENSA_WEBHOOK_SECRET: expected a secret of 16 characters or more, found none or a shorter one"
            )
        lines = read_lines(arguments.lines)
        ledger = lines.ledger()
    except KensaError as error:
        print(f"kensa: {error}", file=sys.stderr)
        return error.exit_code
    uvicorn.run(
        receiver(lines, ledger, secret),
        host=arguments.host,
        port=arguments.port,
        limit_concurrency=MAX_CONNECTIONS,
        log_level="warning",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
