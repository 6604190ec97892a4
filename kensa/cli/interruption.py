"""Ctrl-C and SIGTERM: a command tidies up, says one line and ends, within seconds whatever it was doing."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from types import FrameType

from tasks.core.log_lines import say

MESSAGE = "kensa: interrupted; nothing half-written is left, and the next run goes on"
SIGNALS = (signal.SIGINT, signal.SIGTERM)
GRACE_SECONDS = 4.0  # for tidying; native code may hold the main thread for longer


class Interruptions:
    """For `with`, in the main thread: the first signal raises KeyboardInterrupt, later ones are ignored.

    Where tidying takes too long, the process ends without: stages and releases are written beside their place, so that
    nothing half-written counts. What libraries log about the interruption is dropped, unless `quiet` is False.
    `number` is that of the signal, None before.
    """

    def __init__(self, quiet: bool = True, grace: float = GRACE_SECONDS) -> None:
        self.quiet, self.grace = quiet, grace
        self.number: int | None = None
        self.is_said = threading.Event()

    def __enter__(self) -> Interruptions:
        # Python's own handlers wait until native code returns; the file descriptor is written at once.
        self.reader, self.writer = socket.socketpair()
        self.writer.setblocking(False)
        self.handlers = {number: signal.signal(number, self._raise_once) for number in SIGNALS}
        self.wakeup = signal.set_wakeup_fd(self.writer.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._end_late, name="interruption", daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.number:
            return  # the process ends: later signals stay ignored, and the watch goes on
        for number, handler in self.handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self.wakeup)
        self.writer.close()

    def say(self) -> None:
        """Print the one line."""
        self.is_said.set()
        say(MESSAGE, "warning")

    def _raise_once(self, number: int, frame: FrameType | None) -> None:
        self.number = number
        for ignored in SIGNALS:
            signal.signal(ignored, signal.SIG_IGN)
        self._drop_logs()
        raise KeyboardInterrupt

    def _end_late(self) -> None:
        """The watch: wait for a signal, and end the process where the main thread does not within the time."""
        while (byte := self.reader.recv(1)) and byte[0] not in SIGNALS:
            pass
        if not byte:
            self.reader.close()
            return  # the command has ended
        self._drop_logs()
        time.sleep(self.grace)
        if not self.is_said.is_set():
            self.say()
        os._exit(128 + byte[0])

    def _drop_logs(self) -> None:
        if self.quiet:
            logging.disable(logging.CRITICAL)
