"""Serves what lies below artifacts/ to people on this machine: reports, pages and pictures, and health and metrics.

    python -m flows.service.pages [--port 4240] [--folder artifacts] [--receiver http://127.0.0.1:4280]

It has a process and a port of its own: the receiver's port is open to the Hub through a proxy, and a page beside
Prefect's API could speak to it as if it were the UI. It only reads.
"""

from __future__ import annotations

import argparse
import sys
from html import escape
from pathlib import Path
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from flows.health.metrics import CONTENT_TYPE, metrics_text
from flows.health.status import StatusReader
from flows.ui.page_links import MEDIA_TYPES, find_page
from tasks.config.run import ARTIFACTS_FOLDER, DATA_FOLDER
from tasks.core.log_lines import uvicorn_logging, write_json_if_asked

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
# A page of the internet whose name was made to point to this machine must not read them.
HOSTS = ["127.0.0.1", "localhost"]
LISTED = ("report.html", "history.html", "drift/*.html", "verdicts/*.html", "sweeps/*/table.md")
MOST_LISTED = 200


def pages(folder: Path, receiver: str | None = None) -> Starlette:
    """The application: the list at `/`, `GET /health` and `/metrics`, and each file under its path in the folder.

    receiver: the address of the webhook receiver, None where it was not started.
    """
    reader = StatusReader(Path(DATA_FOLDER), folder, receiver)

    async def show(request: Request) -> Response:
        path = find_page(folder, request.path_params["path"])
        if path is None:
            return PlainTextResponse("no such page\n", 404, HEADERS)
        return FileResponse(path, headers=HEADERS, media_type=MEDIA_TYPES[path.suffix.lower()])

    async def index(request: Request) -> Response:
        return HTMLResponse(_index(folder), headers=HEADERS)

    def health(request: Request) -> Response:  # in a thread of its own: it asks other services
        status = reader.read()
        return JSONResponse(status.as_json(), 503 if status.verdict == "failed" else 200)

    def metrics(request: Request) -> Response:
        return Response(metrics_text(reader.read()), media_type=CONTENT_TYPE)

    routes = [Route("/", index), Route("/health", health), Route("/metrics", metrics), Route("/{path:path}", show)]
    return Starlette(routes=routes, middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS)])


def _index(folder: Path) -> str:
    """A list of the pages, the newest first."""
    files = {path for pattern in LISTED for path in folder.rglob(pattern)}
    readable = [path for path in files if find_page(folder, path.relative_to(folder).as_posix())]
    newest = sorted(readable, key=lambda path: path.stat().st_mtime, reverse=True)[:MOST_LISTED]
    names = [path.relative_to(folder).as_posix() for path in newest]
    entries = "".join(f'<li><a href="/{quote(name)}">{escape(name)}</a></li>' for name in names)
    title = "<title>Kensa</title><meta name=viewport content='width=device-width'>"
    style = (
        "<style>body{font:16px sans-serif;margin:2rem;max-width:60rem}li{overflow-wrap:anywhere;margin:.4rem 0}</style>"
    )
    return f"<!doctype html>{title}{style}<h1>Reports and pages</h1><ul>{entries or '<li>none yet</li>'}</ul>"


def main(argv: list[str] | None = None) -> int:
    """Serve until stopped."""
    command = argparse.ArgumentParser(prog="python -m flows.service.pages")
    command.add_argument("--port", type=int, default=4240)
    command.add_argument("--folder", type=Path, default=Path(ARTIFACTS_FOLDER))
    command.add_argument("--receiver", metavar="ADDRESS", help="address of the webhook receiver, to look at its health")
    arguments = command.parse_args(argv)
    import uvicorn

    write_json_if_asked()
    application = pages(arguments.folder, arguments.receiver)
    uvicorn.run(application, host="127.0.0.1", port=arguments.port, log_level="warning", **uvicorn_logging())
    return 0


if __name__ == "__main__":
    sys.exit(main())
