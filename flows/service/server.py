"""Which Prefect server a command speaks to: the configured one, or a temporary one of its own."""

from __future__ import annotations

import logging
import os
import tomllib
from pathlib import Path

from flows.service.prefect_api import PrefectApi
from tasks.core.errors import ServerUnreachable, UnusableFolder
from tasks.core.files import ensure_writable


def configured_server() -> PrefectApi | None:
    """The Prefect server of PREFECT_API_URL and PREFECT_API_AUTH_STRING, or of the active profile, else None.

    Read here without importing Prefect, which takes longer than finding that nothing changed.
    """
    told = {**_profile(), **os.environ}
    address = told.get("PREFECT_API_URL")
    return PrefectApi(address, told.get("PREFECT_API_AUTH_STRING") or None) if address else None


def _profile() -> dict[str, str]:
    """The settings of the active profile."""
    home = Path(os.environ.get("PREFECT_HOME", Path.home() / ".prefect"))
    try:
        profiles = tomllib.loads((home / "profiles.toml").read_text())
    except OSError:
        return {}  # no profile was ever written
    active = os.environ.get("PREFECT_PROFILE") or profiles.get("active")
    return profiles.get("profiles", {}).get(active, {})


def require_server(needed: bool = False) -> None:
    """Raise ServerUnreachable where a configured server does not answer, or none is configured and one is needed."""
    api = configured_server()
    if api:
        _require_answer(api)
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


def _require_answer(api: PrefectApi) -> None:
    """Raise ServerUnreachable where it does not answer, or does not let us in: `/health` lets in everyone."""
    try:
        api.get("/admin/version")
    except ServerUnreachable as error:
        raise ServerUnreachable(f"{error}; start it with `prefect server start`, or unset PREFECT_API_URL") from None
