"""Where a person finds a file below artifacts/: its address where `kensa up` serves it, and which files are served."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from tasks.config.run import ARTIFACTS_FOLDER

PAGES_URL = "KENSA_PAGES_URL"  # the environment's word for the address of the pages
TEXT = "text/plain; charset=utf-8"
MEDIA_TYPES = {  # of what people look at; models, records and pointers are not served
    ".html": "text/html; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".md": TEXT,
    ".toml": TEXT,
}


def find_page(folder: Path, name: str) -> Path | None:
    """The file that the address `name` shows; None for what is hidden, elsewhere, of another kind or not there."""
    parts = name.split("/")
    if any(not part or part.startswith(".") for part in parts):
        return None
    root = folder.resolve()
    try:
        path = root.joinpath(*parts).resolve(strict=True)
    except (OSError, ValueError):
        return None
    if not path.is_relative_to(root) or any(part.startswith(".") for part in path.relative_to(root).parts):
        return None  # a link to somewhere else
    return path if path.is_file() and path.suffix.lower() in MEDIA_TYPES else None


def page_url(path: Path) -> str | None:
    """The address of a file below artifacts/; None where no pages are served, or it is not among them."""
    base, folder = os.environ.get(PAGES_URL), Path(ARTIFACTS_FOLDER).resolve()
    if not base or not path.resolve().is_relative_to(folder):
        return None
    name = path.resolve().relative_to(folder).as_posix()
    return f"{base.rstrip('/')}/{quote(name)}" if find_page(folder, name) else None
