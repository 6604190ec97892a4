"""Settings files that people write: TOML, which is UTF-8 on every machine, with or without a byte order mark."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from tasks.core.errors import BadSetting
from tasks.core.text import one_line

TYPOGRAPHIC_QUOTES = "“”„‟‘’«»"


def read_toml(path: Path, where: str) -> dict[str, Any]:
    """The table of a file; raises BadSetting with `where` in front, FileNotFoundError or NotADirectoryError."""
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise  # what a missing file means differs
    except OSError as error:
        raise BadSetting(f"{where}: cannot be read: {one_line(error)}") from None
    try:
        text = content.decode("utf-8-sig")
        return tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise BadSetting(
            f"{where}: cannot be read: expected UTF-8, found other bytes in line {line}; save it as UTF-8"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise BadSetting(f"{where}: cannot be read: {one_line(error)}{_hint(text, str(error))}") from None


def _hint(text: str, problem: str) -> str:
    """What most often causes the problem, if the text has it."""
    if any(quote in text for quote in TYPOGRAPHIC_QUOTES):
        return '; expected straight quotes (") around text'
    if any(word in problem for word in ("escape", "Escape", "hex value")):  # \p, or \U as in C:\Users
        return "; write folders with / instead of \\"
    return ""
