"""The log as one JSON object a line, for programs that collect logs; without `--log-format json` it is text, as ever.

    {"time": "2026-11-29T10:15:00.123Z", "level": "info", "logger": "kensa", "message": "train …", "line": "boards",
     "run": "0f3c…"}

Whatever a process prints on standard error becomes such a line: what Kensa says, records of `logging` with their
traceback under `exception`, and, by a small process between it and the outside, what native code and programs that it
starts write there.
"""

from __future__ import annotations

import atexit
import contextlib
import datetime
import io
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, TextIO

LOG_FORMAT = "KENSA_LOG_FORMAT"  # the environment's word; `json` is what it may say
LOGGER = "kensa"
HANDLER = "tasks.core.log_lines.JsonHandler"
# Any entry of Prefect's logging configuration can be set so.
PREFECT_SETTINGS = {f"PREFECT_LOGGING_HANDLERS_{name}_CLASS": HANDLER for name in ("CONSOLE", "DEBUG")}
UVICORN_CONFIG = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"json": {"class": HANDLER}},
    "loggers": {"uvicorn": {"handlers": ["json"], "level": "INFO", "propagate": False}},
}
DRAIN_SECONDS = 5  # for the last lines, where a process that was started still holds standard error
STDERR = 2
_subject: dict[str, str | None] = {"line": None, "run": None}  # of this process


def log_entry(level: str, logger: str, message: str, **others: Any) -> str:
    """One object as a line without its end; ASCII, so that no encoding of a stream can break it."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"time": now, "level": level, "logger": logger, "message": message, **_subject, **others})


@contextlib.contextmanager
def log_of_run(line: str | None, run: str | None) -> Iterator[None]:
    """Inside, the entries of this process name the product line and the flow run."""
    before = dict(_subject)
    _subject.update(line=line, run=run)
    try:
        yield
    finally:
        _subject.update(before)


class JsonStream(io.TextIOBase):
    """A text stream each line of which is an entry; safe for several threads."""

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.rest, self.lock = stream, "", threading.RLock()

    def write(self, text: str) -> int:
        """Take text; a line is written once its end has come."""
        with self.lock:
            *lines, self.rest = (self.rest + text).split("\n")
            for line in lines:
                if line.strip():
                    self.write_entry(log_entry("info", LOGGER, line.rstrip("\r")))
        return len(text)

    def write_entry(self, entry: str) -> None:
        """Write an entry as it is."""
        with self.lock:
            self.stream.write(f"{entry}\n")
            self.stream.flush()

    def flush(self) -> None:
        """Flush the stream below; half a line stays here."""
        self.stream.flush()

    def writable(self) -> bool:
        """True."""
        return True

    def fileno(self) -> int:
        """The descriptor of the stream below."""
        return self.stream.fileno()

    @property
    def encoding(self) -> str:
        """The encoding of the stream below."""
        return self.stream.encoding


class JsonHandler(logging.Handler):
    """Writes records of `logging` as entries; takes, and leaves aside, what Prefect's console handler takes."""

    def __init__(self, stream: TextIO | None = None, styles: Any = None, level: int | str = 0) -> None:
        super().__init__(level)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record to what is standard error now: TensorFlow's import has another for a moment."""
        try:
            others = {"run": str(record.flow_run_id)} if getattr(record, "flow_run_id", None) else {}
            if record.exc_info and record.exc_info[0]:
                others["exception"] = "".join(traceback.format_exception(*record.exc_info))
            _write(log_entry(record.levelname.lower(), record.name, record.getMessage(), **others))
        except Exception:  # a log must not end what it tells of
            self.handleError(record)


def _write(entry: str) -> None:
    stream = sys.stderr
    if isinstance(stream, JsonStream):
        stream.write_entry(entry)
    else:
        print(entry, file=stream, flush=True)


def say(text: str, level: str = "info") -> None:
    """One line on standard error, as text or as an entry of this level."""
    if isinstance(sys.stderr, JsonStream):
        _write(log_entry(level, LOGGER, text))
    else:
        print(text, file=sys.stderr, flush=True)


def write_json_if_asked() -> None:
    """Write what this process says as JSON, if its environment asks for it: at the start of a process."""
    if os.environ.get(LOG_FORMAT) == "json":
        write_json()


def write_json() -> None:
    """Write what this process says as JSON from now on, and have those that it starts do so, too."""
    os.environ.update({LOG_FORMAT: "json", **PREFECT_SETTINGS})
    if isinstance(sys.stderr, JsonStream):
        return
    sys.stderr = JsonStream(sys.stderr)
    sys.excepthook = _write_exception
    threading.excepthook = lambda args: _write_exception(args.exc_type, args.exc_value, args.exc_traceback)
    logging.captureWarnings(True)
    if not logging.root.handlers:
        logging.root.addHandler(JsonHandler(level=logging.WARNING))


def _write_exception(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    text = "".join(traceback.format_exception(kind, error, trace))
    _write(log_entry("critical", LOGGER, f"{kind.__name__}: {error}", exception=text))


def uvicorn_logging() -> dict[str, Any]:
    """What `uvicorn.run` is given so that it logs as this process does."""
    return {"log_config": UVICORN_CONFIG} if isinstance(sys.stderr, JsonStream) else {}


def wrap_other_lines() -> None:
    """Have a process of its own make entries of what native code and other programs write to standard error.

    It ends after the last process that writes there.
    """
    outside = os.dup(STDERR)
    reader, writer = os.pipe()
    program = [sys.executable, "-I", "-S", str(Path(__file__))]
    wrapper = subprocess.Popen(program, stdin=reader, stdout=subprocess.DEVNULL, stderr=outside)
    os.dup2(writer, STDERR)
    os.close(reader)
    os.close(writer)

    def drain() -> None:
        os.dup2(outside, STDERR)  # closes our end of the pipe
        with contextlib.suppress(subprocess.TimeoutExpired):
            wrapper.wait(DRAIN_SECONDS)

    atexit.register(drain)


def wrap_lines(source: BinaryIO, target: BinaryIO) -> None:
    """Copy lines: an entry as it is, any other line as an entry, a blank one not at all."""
    for line in source:
        text = line.decode(errors="replace").rstrip()
        if text:
            target.write((text if _is_object(text) else log_entry("info", "stderr", text)).encode() + b"\n")
            target.flush()


def _is_object(text: str) -> bool:
    try:
        return text.startswith("{") and isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):  # Ctrl-C reaches it, too; it ends with what it listens to
        signal.signal(number, signal.SIG_IGN)
    wrap_lines(sys.stdin.buffer, sys.stderr.buffer)
