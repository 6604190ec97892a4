"""Prefect's temporary server in a session of its own: Ctrl-C in a terminal reaches the command alone.

A terminal sends Ctrl-C to every process of the foreground group. Where the server ended with it, the flow would try
for minutes to tell the server that it was interrupted.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import Any

import httpx
from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import get_current_settings

from tasks.core.errors import ServerUnreachable
from tasks.core.text import one_line

SERVER_SETTINGS = {
    "PREFECT_UI_ENABLED": "0",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "0",
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
}


PORT_TAKEN = 3  # uvicorn's exit code, after which Prefect tries another port


class StartingProcess(subprocess.Popen):
    """Raises RuntimeError once it has ended, while Prefect would go on waiting for its answer."""

    is_starting = True

    def poll(self) -> int | None:
        """The exit code, None for a process that lives."""
        code = super().poll()
        if self.is_starting and code not in (None, PORT_TAKEN):
            self.is_starting = False
            raise RuntimeError(f"its process ended with {code}; see its messages above")
        return code


class TemporaryServer(SubprocessASGIServer):
    """Prefect keeps one such server a process; the one that was made first is the one that it starts."""

    def start(self, timeout: int | None = None) -> None:
        """Start it once and wait until it answers; raises ServerUnreachable."""
        try:
            super().start(timeout)
        except (RuntimeError, httpx.HTTPError) as error:
            self.stop()
            raise ServerUnreachable(f"Prefect's temporary server does not answer: {one_line(error)}") from None
        self.server_process.is_starting = False

    def stop(self) -> None:
        """End it; nothing is said of a process that has ended before."""
        if self.server_process:
            self.server_process.is_starting = False
        super().stop()

    def _run_uvicorn_command(self) -> subprocess.Popen[Any]:
        """As Prefect starts it, in another session; it ends with this process."""
        # Linux looks at the thread that started a process: that must not be one that ends earlier.
        parent = os.getpid() if threading.current_thread() is threading.main_thread() else 0
        words = ["-P", "-m", "flows.service.temporary_server_process", str(self.port), str(parent)]
        settings = get_current_settings().to_environment_variables(exclude_unset=True)
        environment = {**os.environ, **SERVER_SETTINGS, **settings}
        return StartingProcess([sys.executable, *words], env=environment, start_new_session=True)


def prepare_temporary_server() -> None:
    """Have Prefect start this server, and not its own, when a flow needs one."""
    TemporaryServer()
