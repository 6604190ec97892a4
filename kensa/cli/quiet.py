"""Keeps what libraries write about themselves off the terminal, unless a person asks for it.

TensorFlow logs while it is imported, before it looks at TF_CPP_MIN_LOG_LEVEL: two lines of absl, oneDNN's hint and a
missing CUDA driver. No setting of the environment stops that, so that the file descriptor itself leads elsewhere
during the import.
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

STDERR = 2


def show_libraries(level: str) -> None:
    """Let Prefect log at this level, and TensorFlow everything."""
    _log_prefect(level)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "0")


def quiet_libraries(level: str) -> None:
    """Let Prefect log at this level, and others nothing but errors. What the environment says wins."""
    _log_prefect(level)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    if not any(isinstance(finder, QuietTensorFlow) for finder in sys.meta_path):
        sys.meta_path.insert(0, QuietTensorFlow())


def _log_prefect(level: str) -> None:
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", level.upper())
    if level == "debug":
        os.environ.setdefault("PREFECT_LOGGING_LEVEL", "DEBUG")


class QuietTensorFlow(MetaPathFinder):
    """Finds TensorFlow as Python does, and has it imported with standard error turned away."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """TensorFlow's spec with a quiet loader; None for all other modules."""
        spec = PathFinder.find_spec(fullname, path, target) if fullname == "tensorflow" else None
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_quietly(module: ModuleType) -> None:
            with stderr_turned_away():
                execute(module)

        spec.loader.exec_module = execute_quietly
        return spec


@contextmanager
def stderr_turned_away() -> Iterator[None]:
    """Drop what native code writes to standard error inside; print it after an error.

    What Python itself prints meanwhile, in any thread, still goes to the terminal.
    """
    terminal, stream = os.dup(STDERR), sys.stderr
    with tempfile.TemporaryFile() as file, os.fdopen(os.dup(STDERR), "w", buffering=1, errors="replace") as python:
        if stream.fileno() == STDERR:
            sys.stderr = python
        os.dup2(file.fileno(), STDERR)
        try:
            yield
        except BaseException:
            file.seek(0)
            os.write(terminal, file.read())
            raise
        finally:
            os.dup2(terminal, STDERR)
            os.close(terminal)
            sys.stderr = stream
