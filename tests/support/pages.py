"""The pages below artifacts/, served as `kensa up` serves them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from support.applications import served_application

from flows.service.pages import pages


@contextlib.contextmanager
def served_pages(folder: Path) -> Iterator[str]:
    """The address of the pages of a folder; they end with the block."""
    with served_application(pages(folder)) as address:
        yield address
