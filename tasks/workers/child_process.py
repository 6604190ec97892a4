"""A child process that runs functions one after the other and returns their values.

Keras keeps its seed for a whole process: of two trainings in two threads of one process, each would change the
other's weights. The child ends by itself when its parent is gone, however that ended, because its standard input
closes then. The next one resumes what was half done.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from typing import Any, BinaryIO

from tasks.core.errors import KensaError, ProcessDied
from tasks.core.gc_tuning import relax_gc

# Several processes share the memory of a GPU.
GPU_VARIABLES = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}


class WorkerProcess:
    """A child process for `with`; `env` is added to this process's environment."""

    def __init__(self, **env: str) -> None:
        self.env = {**GPU_VARIABLES, **os.environ, **env}

    def __enter__(self) -> WorkerProcess:
        self.stderr = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tasks.workers.child_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.stderr,
            env=self.env,
        )
        return self

    def call(self, function: str, *arguments: Any) -> Any:
        """The value of `module:function` in the child; raises the KensaError that it raised, or ProcessDied."""
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
        """The exit code of the child, and its last line on stderr."""
        code = self.process.wait()
        self.stderr.seek(0)
        lines = self.stderr.read().decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "no output")
        killed = " (killed; was there enough memory?)" if code == -signal.SIGKILL else ""
        return f"ended with {code}{killed}: {last}"

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(BrokenPipeError):  # it has died with a request unread
            self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()
        self.stderr.close()


def main() -> None:
    """The child: answer requests until standard input closes."""
    relax_gc()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not mix with the answers
    requests: queue.SimpleQueue[tuple[str, tuple[Any, ...]]] = queue.SimpleQueue()
    source = os.fdopen(os.dup(0), "rb")  # a crash closes sys.stdin under the thread that reads it
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
            os._exit(0)  # at once, even during a training


if __name__ == "__main__":
    main()
