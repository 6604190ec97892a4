"""Runs functions in a process of its own, one after the other, and hands back what they return.

Keras keeps its seed for a whole process: of two trainings in two threads of one process, each would
change the other's weights. The process ends by itself when the one that started it is gone, however
that ended: its standard input closes then. What was half done is taken up by the next one.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import queue
import subprocess
import sys
import tempfile
import threading
from typing import Any, BinaryIO

from tasks.core.errors import KensaError, ProcessDied
from tasks.core.gc_tuning import relax_gc

GPU_VARIABLES = {
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
}  # several share its memory


class WorkerProcess:
    """A process for `with`; `env` is added to this one's environment."""

    def __init__(self, **env: str) -> None:
        self.env = {**GPU_VARIABLES, **os.environ, **env}

    def __enter__(self) -> WorkerProcess:
        self.said = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tasks.core.worker_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.said,
            env=self.env,
        )
        return self

    def __call__(self, function: str, *arguments: Any) -> Any:
        """The value of `module:function` there. Raises the KensaError that it raised, or ProcessDied."""
        try:
            pickle.dump((function, arguments), self.process.stdin)
            self.process.stdin.flush()
            answer = pickle.load(self.process.stdout)  # noqa: S301  # from our own process
        except (EOFError, BrokenPipeError):
            raise ProcessDied(f"the process of a trial {self._end()}") from None
        if isinstance(answer, KensaError):
            raise answer
        return answer

    def _end(self) -> str:
        """How the process ended, and what it said last."""
        code = self.process.wait()
        self.said.seek(0)
        lines = self.said.read().decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
        killed = " (killed; was there memory enough?)" if code == -9 else ""
        return f"ended with {code}{killed}: {last}"

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(BrokenPipeError):  # it has died, and took no request any more
            self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()
        self.said.close()


def main() -> None:
    """Answer requests until standard input closes."""
    relax_gc()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not stand among the answers
    requests: queue.SimpleQueue[tuple[str, tuple[Any, ...]]] = queue.SimpleQueue()
    source = os.fdopen(os.dup(0), "rb")  # sys.stdin would be closed at a crash, under the thread that reads it
    threading.Thread(target=_listen, args=(source, requests), daemon=True).start()
    while True:
        function, arguments = requests.get()
        module, _, name = function.partition(":")
        try:
            answer = getattr(importlib.import_module(module), name)(*arguments)
        except KensaError as error:
            answer = error
        pickle.dump(answer, answers)
        answers.flush()


def _listen(source: BinaryIO, requests: queue.SimpleQueue[tuple[str, tuple[Any, ...]]]) -> None:
    while True:
        try:
            requests.put(pickle.load(source))  # noqa: S301  # from the process that started this one
        except EOFError:
            os._exit(0)  # in the midst of a training, if need be


if __name__ == "__main__":
    main()
