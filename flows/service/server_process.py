"""Prefect's server as `kensa up` starts it: as `prefect server start` does, but its pages reach this machine alone.

    python -m flows.service.server_process --port 4200

The newer UI asks an analytics host for its settings at every page, whatever Prefect's own settings say. A policy in
the header of each page has the browser refuse that.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flows.ui.page_links import PAGES_URL
from tasks.core.log_lines import uvicorn_logging, write_json_if_asked

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("127.0.0.1:*", "localhost:*")


def content_policy(addresses: list[str]) -> str:
    """The policy of the UI's pages: requests and pictures from this machine and from these addresses only."""
    hosts = [urlsplit(address).netloc for address in addresses if address]
    pages = [f"http://{host}" for host in LOOPBACK] + [f"http://{host} https://{host}" for host in hosts]
    sockets = [f"ws://{host}" for host in LOOPBACK] + [f"ws://{host} wss://{host}" for host in hosts]
    return (
        f"connect-src 'self' data: blob: {' '.join(pages + sockets)}; "
        f"img-src 'self' data: blob: {' '.join(pages)}; font-src 'self' data:; form-action 'self'"
    )


class PagePolicy:
    """Adds the policy to every answer that is a page of HTML."""

    def __init__(self, app: ASGIApp, policy: str) -> None:
        self.app, self.policy = app, policy.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does."""

        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message["headers"])
                if any(name.lower() == b"content-type" and b"text/html" in value for name, value in headers):
                    message["headers"] = [*headers, (b"content-security-policy", self.policy)]
            await send(message)

        await self.app(scope, receive, send_with_policy if scope["type"] == "http" else send)


def write_in_turns() -> None:
    """Have every transaction of SQLite wait for its turn when it begins; Postgres is left as it is.

    Prefect has most of them begin as readers. One that then writes fails at once with "database is locked" where
    another has written in between: no waiting helps it. Of 200 clients at once none came to its end; now all do.
    """
    from prefect.server.database.configurations import AioSqliteConfiguration
    from prefect.server.database.dependencies import set_database_config
    from prefect.server.utilities.database import get_dialect
    from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL

    class SqliteInTurns(AioSqliteConfiguration):
        """As Prefect's, but with BEGIN IMMEDIATE."""

        def begin_transaction(self, session: Any, with_for_update: bool = True) -> Any:
            """The transaction as one that writes."""
            return super().begin_transaction(session, with_for_update=True)

    url = PREFECT_API_DATABASE_CONNECTION_URL.value()
    if get_dialect(url).name == "sqlite":
        set_database_config(SqliteInTurns(connection_url=url))


def create_server() -> Starlette:
    """Prefect's application with its background services; the policy is that of the UI, not of the API."""
    from prefect.server.api.server import create_app
    from prefect.settings import PREFECT_UI_API_URL

    write_in_turns()
    app = create_app(final=True)
    policy = content_policy([PREFECT_UI_API_URL.value(), os.environ.get(PAGES_URL, "")])
    ui = next(route for route in app.routes if getattr(route, "name", None) == "ui")
    ui.app = PagePolicy(ui.app, policy)
    return app


def create_temporary_server() -> Starlette:
    """Prefect's application as a command has it for itself."""
    from prefect.server.api.server import create_app

    write_in_turns()
    return create_app()


def main(argv: list[str] | None = None) -> int:
    """Serve until stopped."""
    command = argparse.ArgumentParser(prog="python -m flows.service.server_process")
    command.add_argument("--host", default="127.0.0.1")
    command.add_argument("--port", type=int, default=4200)
    arguments = command.parse_args(argv)
    # Prefect draws the UI's address of the API from these.
    os.environ |= {"PREFECT_SERVER_API_HOST": arguments.host, "PREFECT_SERVER_API_PORT": str(arguments.port)}
    write_json_if_asked()
    import uvicorn
    from prefect.settings import get_current_settings

    server = get_current_settings().server
    uvicorn.run(
        create_server(),
        host=arguments.host,
        port=arguments.port,
        timeout_keep_alive=server.api.keepalive_timeout,
        ws_ping_interval=server.api.websocket_ping_interval,
        ws_ping_timeout=server.api.websocket_ping_timeout,
        log_level=server.logging_level.lower(),
        **uvicorn_logging(),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
