"""The pages below artifacts/, served as `kensa up` serves them."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from support.prefect_server import free_port

from flows.service.pages import pages


@contextlib.contextmanager
def served_pages(folder: Path) -> Iterator[str]:
    """The address of the pages of a folder; they end with the block."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(pages(folder), host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server ended before it answered"
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(30)
