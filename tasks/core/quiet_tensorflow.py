"""TensorFlow imported in silence.

It logs while it is imported, before it looks at TF_CPP_MIN_LOG_LEVEL: two lines of absl, oneDNN's hint and a missing
CUDA driver. No setting of the environment stops that, so that the file descriptor itself leads elsewhere during the
import.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

STDERR = 2


def quieten_tensorflow() -> None:
    """Have TensorFlow imported in silence in this process."""
    if not tensorflow_is_quiet():
        sys.meta_path.insert(0, QuietTensorFlow())


def tensorflow_is_quiet() -> bool:
    """Whether `quieten_tensorflow` was called."""
    return any(isinstance(finder, QuietTensorFlow) for finder in sys.meta_path)


def dask_setup(worker: object) -> None:
    """The same in a Dask worker that has this module as its `preload`; the name is Dask's."""
    quieten_tensorflow()


class QuietTensorFlow(MetaPathFinder):
    """Finds TensorFlow as Python does, and has it imported with standard error turned away."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """TensorFlow's spec with a quiet loader; None for all other modules."""
        spec = PathFinder.find_spec(fullname, path, target) if fullname == "tensorflow" else None
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_quietly(module: ModuleType) -> None:
            with divert_stderr():
                execute(module)

        spec.loader.exec_module = execute_quietly
        return spec


@contextmanager
def divert_stderr() -> Iterator[None]:
    """Drop what native code writes to standard error inside; print it after an error.

    What Python itself prints meanwhile, in any thread, still goes to the terminal.
    """
    terminal, stream = os.dup(STDERR), sys.stderr
    with (
        tempfile.TemporaryFile() as file,
        os.fdopen(os.dup(STDERR), "w", buffering=1, encoding=stream.encoding, errors="replace") as python,
    ):
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
