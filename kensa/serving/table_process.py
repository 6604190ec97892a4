"""Reads tables and photographs of strangers in processes of their own.

Arrow's native readers end the process for some bodies: of 10 000 with random changes one did. A reader that ends is
replaced, and its request is refused. So is one that takes too long.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from kensa.serving.bodies import Parts, Refused, read_table
from kensa.serving.photographs import read_photographs
from tasks.config.run import DataConfig
from tasks.core.errors import ProcessDied
from tasks.workers.child_process import WorkerProcess

READ_SECONDS = 30.0  # in which a body must be read
READ, READ_PHOTOGRAPHS = f"{__name__}:read_as_child", f"{__name__}:read_photographs_as_child"


class TableReaders:
    """One reader for each thread that asks; started when it is needed."""

    def __init__(self) -> None:
        self.own, self.lock = threading.local(), threading.Lock()
        self.readers: set[WorkerProcess] = set()

    def read(self, kind: str, body: bytes, data: DataConfig) -> Parts:
        """The parts of a table of this content type; raises Refused."""
        return self._call(READ, kind, body, data)

    def read_photographs(self, content_type: str, body: bytes, standard: Path) -> Parts:
        """The photographs of a body, measured by the standard of that file; raises Refused."""
        return self._call(READ_PHOTOGRAPHS, content_type, body, standard)

    def _call(self, function: str, kind: str, body: bytes, by: Any) -> Parts:
        reader = getattr(self.own, "reader", None) or self._start()
        expired = threading.Event()
        limit = threading.Timer(READ_SECONDS, _expire, (reader, expired))
        limit.start()
        try:
            answer = reader.call(function, kind, body, by)
        except ProcessDied:
            self._end(reader)
            if expired.is_set():
                raise Refused(413, f"body: expected one that is read within {READ_SECONDS:g} s; send less") from None
            raise Refused(400, f"body: expected {kind[:100]}, found what cannot be read") from None
        finally:
            limit.cancel()
        if expired.is_set():  # it ended just behind its answer
            self._end(reader)
        if isinstance(answer, tuple):
            raise Refused(*answer)
        return answer

    def _start(self) -> WorkerProcess:
        reader = self.own.reader = WorkerProcess().__enter__()
        with self.lock:
            self.readers.add(reader)
        return reader

    def _end(self, reader: WorkerProcess) -> None:
        self.own.reader = None
        with self.lock:
            self.readers.discard(reader)
        reader.__exit__()

    def close(self) -> None:
        """End all readers; nobody asks any more."""
        while self.readers:
            self.readers.pop().__exit__()


def _expire(reader: WorkerProcess, expired: threading.Event) -> None:
    expired.set()
    reader.process.kill()


def read_as_child(kind: str, body: bytes, data: DataConfig) -> Parts | tuple[int, str]:
    """In the child: the parts, or the status and reason of a refusal."""
    try:
        return read_table(kind, body, data)
    except Refused as refused:
        return refused.status, str(refused)


def read_photographs_as_child(content_type: str, body: bytes, standard: Path) -> Parts | tuple[int, str]:
    """In the child: the parts, or the status and reason of a refusal."""
    try:
        return read_photographs(content_type, body, standard)
    except Refused as refused:
        return refused.status, str(refused)
