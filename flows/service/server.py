"""Which Prefect server a command speaks to: the configured one, or a temporary one of its own.

Prefect is imported by `connect` only: it takes longer than finding that nothing changed.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from tasks.config.toml_file import read_toml
from tasks.core.errors import ServerUnreachable, UnusableFolder
from tasks.core.files import ensure_writable
from tasks.core.proxies import configured_proxies, require_usable_proxies
from tasks.core.text import one_line

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class PrefectServer:
    """A server's address (…/api), and the `user:password` of a server that requires one, which is never shown."""

    url: str
    auth: str | None = field(default=None, repr=False)

    @property
    def display_url(self) -> str:
        """The address as it may be printed."""
        try:
            url = httpx.URL(self.url)
        except httpx.InvalidURL:
            return one_line(self.url)
        return str(url.copy_with(userinfo=b"")) if url.userinfo else self.url


def configured_server() -> PrefectServer | None:
    """The Prefect server of PREFECT_API_URL and PREFECT_API_AUTH_STRING, or of the active profile, else None."""
    settings = {**_profile(), **os.environ}
    url = settings.get("PREFECT_API_URL")
    return PrefectServer(url, settings.get("PREFECT_API_AUTH_STRING") or None) if url else None


def _profile() -> dict[str, str]:
    """The settings of the active profile; raises BadSetting for a file that cannot be read."""
    path = Path(os.environ.get("PREFECT_HOME", Path.home() / ".prefect")) / "profiles.toml"
    try:
        profiles = read_toml(path, str(path))
    except (FileNotFoundError, NotADirectoryError):
        return {}  # no profile was ever written
    active = os.environ.get("PREFECT_PROFILE") or profiles.get("active")
    return profiles.get("profiles", {}).get(active, {})


@contextmanager
def translate_server_errors(server: PrefectServer) -> Iterator[None]:
    """Raise ServerUnreachable for every error of a request to the server, with a hint at what to check."""
    try:
        yield
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        hint = "; is PREFECT_API_AUTH_STRING (user:password) right?" if status in (401, 403) else ""
        raise ServerUnreachable(
            f"PREFECT_API_URL={server.display_url}: the Prefect server answers {status}{hint}{_proxy_hint()}"
        ) from None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise ServerUnreachable(
            f"PREFECT_API_URL={server.display_url}: no Prefect server answers ({one_line(error)}){_proxy_hint()}"
        ) from None


def _proxy_hint() -> str:
    """A proxy is often why a server in the same network does not answer."""
    name = next(iter(configured_proxies()), None)
    return f"; {name} is set: name the server's host in NO_PROXY if it is in your own network" if name else ""


@contextmanager
def connect(server: PrefectServer | None, retries: int = 0) -> Iterator[SyncPrefectClient]:
    """Prefect's client of a server; raises ServerUnreachable. Most callers try again later by themselves."""
    from prefect import get_client, settings
    from prefect.exceptions import ObjectNotFound

    if server is None:
        raise ServerUnreachable("PREFECT_API_URL: expected the address of a Prefect server, found none")
    with translate_server_errors(server):
        urlsplit(server.url)  # Prefect's settings refuse an invalid address with an error that shows its password
    updates = {
        settings.PREFECT_API_URL: server.url,
        settings.PREFECT_API_AUTH_STRING: server.auth,
        settings.PREFECT_API_REQUEST_TIMEOUT: TIMEOUT_SECONDS,
        settings.PREFECT_CLIENT_MAX_RETRIES: retries,
    }
    with translate_server_errors(server), settings.temporary_settings(updates):
        try:
            with get_client(sync_client=True) as client:
                yield client
        except ObjectNotFound as error:
            raise error.http_exc from None


def require_server(needed: bool = False) -> None:
    """Raise ServerUnreachable where a configured server does not answer, or none is configured and one is needed.

    Raises BadSetting for a proxy that no client can use.
    """
    require_usable_proxies()
    server = configured_server()
    if server:
        _require_answer(server)
    elif needed:
        raise ServerUnreachable("PREFECT_API_URL: expected the address of a Prefect server, found none; see kensa up")
    else:
        _require_home()
    logging.getLogger("httpx").setLevel(logging.WARNING)


def _require_home() -> None:
    """Raise UnusableFolder where the temporary server cannot keep its database: Prefect would wait for it in vain."""
    home = Path(os.environ.get("PREFECT_HOME", Path.home() / ".prefect"))
    try:
        ensure_writable(home)
    except UnusableFolder:
        raise UnusableFolder(
            f"PREFECT_HOME={home}: Prefect keeps its database there; expected a folder that can be written"
        ) from None


def _require_answer(server: PrefectServer) -> None:
    """Raise ServerUnreachable where it does not answer or refuses us; `/health` would answer everyone."""
    user, _, password = (server.auth or "").partition(":")
    try:
        with translate_server_errors(server):
            address, auth = f"{server.url.rstrip('/')}/admin/version", (user, password) if server.auth else None
            httpx.get(address, auth=auth, timeout=TIMEOUT_SECONDS).raise_for_status()
    except ServerUnreachable as error:
        raise ServerUnreachable(f"{error}; start it with `prefect server start`, or unset PREFECT_API_URL") from None
