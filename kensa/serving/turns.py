"""A bounded queue: so many requests are judged at once, so many wait, and others are told to come again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kensa.serving.bodies import Refused

RETRY_SECONDS = 1


class Turns:
    """`at_once` requests have their turn, `queue` more wait for one. admitted: how many are there now."""

    def __init__(self, at_once: int, queue: int) -> None:
        self.most, self.admitted = at_once + queue, 0
        self.turns = asyncio.Semaphore(at_once)

    @asynccontextmanager
    async def admit(self) -> AsyncIterator[None]:
        """Have a place, before the body is read; raises Refused with 429 where there is none."""
        if self.admitted >= self.most:
            headers = {"Retry-After": str(RETRY_SECONDS)}
            raise Refused(429, f"expected at most {self.most} requests at once; come again", **headers)
        self.admitted += 1
        try:
            yield
        finally:
            self.admitted -= 1
