"""Receives the Hub's webhook: checks it, writes the new revision to the ledger, answers 202, announces it to Prefect.

    KENSA_WEBHOOK_SECRET=… python -m flows.service.webhook [--host 127.0.0.1] [--port 4280] [--lines kensa.toml]

The secret may be in a file, KENSA_WEBHOOK_SECRET_FILE, that is read at each delivery: it is changed without a restart.

Prefect's own webhooks are Cloud only. An accepted delivery is in the ledger before the answer leaves;
a version that Prefect does not take at that moment is announced again a little later.
"""

from __future__ import annotations

import argparse
import asyncio
import hmac
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import uvicorn
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from flows.service.events import announce_due_versions
from flows.service.ledger import Ledger
from flows.service.lines import LINES_FILE, FactoryConfig, read_lines
from flows.service.server import configured_server
from tasks.core.errors import BadSetting, KensaError, ServerUnreachable
from tasks.core.log_lines import say, uvicorn_logging, write_json_if_asked

MAX_BODY_BYTES = 64 * 1024
BODY_SECONDS = 10  # seconds in which a body must have come
RETRY_AFTER_SECONDS = 20  # after which versions that Prefect did not take are announced again
MAX_CONNECTIONS = 64
LEAST_SECRET = 16  # characters


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
    """A delivery that is not accepted: HTTP status and reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def read_secrets(environment: Mapping[str, str]) -> list[str]:
    """The secrets of which a delivery must have one: the variable's, or each line of the file's.

    A file has two lines while the secret changes. Raises BadSetting.
    """
    name, values = "KENSA_WEBHOOK_SECRET", [environment.get("KENSA_WEBHOOK_SECRET", "")]
    if path := environment.get("KENSA_WEBHOOK_SECRET_FILE"):
        name = f"KENSA_WEBHOOK_SECRET_FILE={path}"
        try:
            text = Path(path).read_text(encoding="utf-8", errors="surrogateescape")
        except OSError as error:
            raise BadSetting(f"{name}: expected a file that can be read, found {error.strerror}") from None
        values = [line.strip() for line in text.splitlines() if line.strip()]
    if not values or min(map(len, values)) < LEAST_SECRET:
        raise BadSetting(f"{name}: expected a secret of {LEAST_SECRET} characters or more, found none or a shorter one")
    return values


def receiver(
    lines: FactoryConfig, ledger: Ledger, secrets: Callable[[], list[str]], rate: TokenBucket | None = None
) -> Starlette:
    """The application with its two routes, `POST /webhook` and `GET /health`; it asks for the secrets each time."""
    bucket, wake = rate or TokenBucket(), asyncio.Event()

    async def webhook(request: Request) -> JSONResponse:
        try:
            _require_secret(request, secrets)
            if not bucket.allows():  # after the secret: a stranger must not use up the sender's share
                raise Refused(429, "too many deliveries; come again")
            versions = new_versions(await _body(request), lines)
        except Refused as refused:
            # Closed, so that nobody goes on reading a body that is refused.
            return JSONResponse({"refused": str(refused)}, refused.status, {"Connection": "close"})
        new = [{"line": line, "revision": sha} for line, sha in versions if ledger.note(line, sha)]
        if new:
            wake.set()
        return JSONResponse({"noted": new, "known": len(versions) - len(new)}, 202)

    async def health(request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok", "lines": sorted(lines.by_name), "versions": len(ledger.versions())})

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(_announce_when_woken(wake, ledger))
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    routes = [Route("/webhook", webhook, methods=["POST"]), Route("/health", health)]
    return Starlette(routes=routes, lifespan=lifespan)


async def _announce_when_woken(wake: asyncio.Event, ledger: Ledger) -> None:
    """Announce due versions at every delivery, and now and then without one; never two announcements at once."""
    while True:
        wake.clear()
        await asyncio.to_thread(_announce, ledger)
        with suppress(TimeoutError):
            await asyncio.wait_for(wake.wait(), RETRY_AFTER_SECONDS)


def _announce(ledger: Ledger) -> None:
    try:
        announce_due_versions(ledger, configured_server())
    except ServerUnreachable as error:
        say(f"kensa: {error}; noted, and announced later", "warning")


def _require_secret(request: Request, secrets: Callable[[], list[str]]) -> None:
    header = request.headers.get("X-Webhook-Secret", "").encode("latin-1")  # the bytes as they were sent
    try:
        right = [hmac.compare_digest(header, os.fsencode(secret)) for secret in secrets()]  # all, in constant time
    except BadSetting as error:
        say(f"kensa: {error}", "error")
        raise Refused(503, "the receiver has no secret at the moment") from None
    if not any(right):
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


class _Repository(BaseModel):
    type: Literal["dataset"]
    name: str


class _Event(BaseModel):
    scope: str = Field(pattern=r"^repo\.content")


class _UpdatedRef(BaseModel):
    """A branch, tag or pull request; `newSha` is null where it was deleted."""

    ref: str
    newSha: str | None = Field(pattern=r"^[0-9a-f]{40}$")  # noqa: N815  # the Hub's name


class Delivery(BaseModel):
    """What the Hub sends when a dataset has changed, as far as it is read here."""

    model_config = ConfigDict(strict=True)
    repo: _Repository
    event: _Event
    updatedRefs: list[_UpdatedRef]  # noqa: N815  # the Hub's name

    def heads(self) -> dict[str, str]:
        """The new commit of each branch."""
        branches = [(ref.ref, ref.newSha) for ref in self.updatedRefs if ref.ref.startswith("refs/heads/")]
        return {ref.removeprefix("refs/heads/"): sha for ref, sha in branches if sha}


def new_versions(body: bytes, lines: FactoryConfig) -> list[tuple[str, str]]:
    """The (line, revision) pairs that a delivery announces; Refused says why there are none."""
    try:
        delivery = Delivery.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise Refused(422 if place else 400, f"{place or 'body'}: {first['msg']}") from None
    watched = [line for line in lines.by_name.values() if delivery.repo.name in dict(line.branches)]
    if not watched:
        raise Refused(403, "this dataset is not on the list of lines")
    single_source = [line for line in watched if not line.has_several_sources]
    if not single_source:
        raise Refused(422, "the line has several sources, at which the watch looks")
    heads = delivery.heads()
    branches = {line.name: dict(line.branches)[delivery.repo.name] for line in single_source}
    versions = [(name, heads[branch]) for name, branch in branches.items() if branch in heads]
    if not versions:
        raise Refused(422, "no watched branch has a new commit in updatedRefs")
    return versions


def main(argv: list[str] | None = None) -> int:
    """Serve until stopped; refuses to start without a secret."""
    command = argparse.ArgumentParser(prog="python -m flows.service.webhook")
    command.add_argument("--host", default="127.0.0.1")
    command.add_argument("--port", type=int, default=4280)
    command.add_argument("--lines", type=Path, default=LINES_FILE)
    arguments = command.parse_args(argv)
    write_json_if_asked()
    try:
        read_secrets(os.environ)
        lines = read_lines(arguments.lines)
        ledger = lines.ledger()
    except KensaError as error:
        say(f"kensa: {error}", "error")
        return error.exit_code
    uvicorn.run(
        receiver(lines, ledger, lambda: read_secrets(os.environ)),
        host=arguments.host,
        port=arguments.port,
        limit_concurrency=MAX_CONNECTIONS,
        log_level="warning",
        **uvicorn_logging(),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
