"""Where the service listens, who may ask, and how it ends: in order, with what is under way finished."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
from dataclasses import replace
from pathlib import Path

import uvicorn

from kensa.serving.champion import CurrentRelease
from kensa.serving.kept_verdicts import VerdictKeeper
from kensa.serving.served_release import require_runtime
from kensa.serving.service import Service, ServiceLimits
from tasks.core.errors import BadSetting
from tasks.core.log_lines import say, uvicorn_logging
from tasks.core.progress import Heartbeat

TOKEN, TOKEN_FILE = "KENSA_SERVE_TOKEN", "KENSA_SERVE_TOKEN_FILE"  # names of variables
LEAST_TOKEN = 16  # characters
IDLE_CONNECTIONS = 256  # beside those of requests in the queue
END_SECONDS = 30  # for requests that are under way


def listen(
    artifacts: Path,
    version: str | None,
    host: str,
    port: int,
    limits: ServiceLimits,
    standard: Path | None = None,
    keep: Path | None = None,
) -> None:
    """Serve a release, or the champion, until SIGINT or SIGTERM.

    standard: of photographs, for releases that carry none; keep: the folder for the verdicts, if any. Raises
    BadSetting, MissingExtra, UnfitStandard, UnusableFolder, and what opening the release does, before it listens.
    """
    limits = replace(limits, token=read_token())
    require_safe_host(host, limits.token)
    require_runtime()
    _require_free(host, port)
    keeper = None if keep is None else VerdictKeeper(keep)
    with Heartbeat("open the release"):
        current = CurrentRelease(artifacts, version, None if standard is None else _standard_file(standard))
    application = Service(current, limits, keeper).application()
    say(f"kensa serve: {current.release.version} judges at http://{host}:{port}/v1/verdicts; Ctrl-C stops it")
    for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn ends in order, and then raises the signal once more
        signal.signal(number, lambda *_: None)
    uvicorn.run(
        application,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        limit_concurrency=limits.at_once + limits.queue + IDLE_CONNECTIONS,
        timeout_graceful_shutdown=END_SECONDS,
        **uvicorn_logging(),
    )
    say("kensa serve: stopped")


def _standard_file(place: Path) -> Path:
    """The file of a standard, or in a folder; raises UnfitStandard, and MissingExtra without OpenCV."""
    from tasks.imaging.photos import require_opencv
    from tasks.imaging.standard import STANDARD_FILE, read_standard

    require_opencv()
    read_standard(place)
    return place / STANDARD_FILE if place.is_dir() else place


def read_token() -> str | None:
    """The token of the environment or of the file that it names; None without one. Raises BadSetting."""
    name, token = TOKEN, os.environ.get(TOKEN, "")
    if path := os.environ.get(TOKEN_FILE):
        name = f"{TOKEN_FILE}={path}"
        try:
            token = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise BadSetting(f"{name}: expected a file that can be read, found {type(error).__name__}") from None
    if (token or os.environ.get(TOKEN_FILE)) and len(token) < LEAST_TOKEN:
        raise BadSetting(f"{name}: expected a token of {LEAST_TOKEN} characters or more, found a shorter one")
    return token or None


def require_safe_host(host: str, token: str | None) -> None:
    """Raise BadSetting for an address that others reach, where they need no token."""
    try:
        is_local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_local = False
    if not is_local and token is None:
        raise BadSetting(f"--host {host}: expected {TOKEN} with it, found none; others reach this address")


def _require_free(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise BadSetting(f"--host {host} --port {port}: cannot listen there ({error.strerror})") from None
