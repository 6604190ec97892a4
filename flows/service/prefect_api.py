"""Prefect's HTTP API, for the few places that speak to a server without importing Prefect."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

import httpx

from tasks.core.errors import ServerUnreachable
from tasks.core.text import one_line


@dataclass(frozen=True)
class PrefectApi:
    """A server's address (…/api), and the `user:password` of a server that asks for them, which is never shown."""

    address: str
    auth: str | None = field(default=None, repr=False)

    def get(self, path: str) -> Any:
        """The answer to a question; raises ServerUnreachable."""
        return self._asked("GET", path, None)

    def post(self, path: str, body: Any) -> Any:
        """The answer to `body`, None where there is none; raises ServerUnreachable."""
        return self._asked("POST", path, body)

    @property
    def display_url(self) -> str:
        """The address as it may be printed."""
        try:
            url = httpx.URL(self.address)
        except httpx.InvalidURL:
            return one_line(self.address)
        return str(url.copy_with(userinfo=b"")) if url.userinfo else self.address

    def _asked(self, method: str, path: str, body: Any) -> Any:
        words = {"Authorization": f"Basic {base64.b64encode(self.auth.encode()).decode()}"} if self.auth else {}
        try:
            answer = httpx.request(
                method,
                f"{self.address.rstrip('/')}{path}",
                json=body,
                headers=words,
                timeout=10,
            )
            answer.raise_for_status()
            return answer.json() if answer.content else None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise ServerUnreachable(f"PREFECT_API_URL={self.display_url}: {self._reason(error)}") from None

    def _reason(self, error: Exception) -> str:
        if isinstance(error, httpx.HTTPStatusError):
            status = error.response.status_code
            if status in (401, 403):
                return f"the Prefect server answers {status}; is PREFECT_API_AUTH_STRING (user:password) right?"
            return f"the Prefect server answers {status}"
        return f"no Prefect server answers ({one_line(error)})"
