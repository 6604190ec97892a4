"""The command in this very process, which is quick; what it would set for the whole process is left out."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass

import pytest

from kensa.cli.main import main


@dataclass(frozen=True)
class Ended:
    """How a command has ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch):
    """Runs the command with these words."""
    for name in ("set_defaults", "log_prefect", "silence", "relax_gc"):
        monkeypatch.setattr(f"kensa.cli.main.{name}", lambda *_, **__: None)

    def call(*words):
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
            code = main([str(word) for word in words])
        return Ended(code, out.getvalue(), err.getvalue())

    return call
