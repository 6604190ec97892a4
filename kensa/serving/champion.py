"""The release that is served now, and its change when another becomes champion.

A request takes the release once, when its turn comes, and is judged by it alone. Another takes its place in one
assignment, once it is open: no request waits for it, none is lost, and those that are under way keep theirs.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

from kensa.serving.served_release import ServedRelease, open_release
from tasks.core.errors import KensaError
from tasks.core.log_lines import say
from tasks.core.text import one_line
from tasks.registry.pointer import champion_state

LOOK_SECONDS = 0.2  # between two looks at the pointer
RETRY_SECONDS = 30.0  # after a release that could not be opened


class CurrentRelease:
    """The release `version`, or the champion, which is followed. Raises what `open_release` does.

    standard: of photographs, for releases that carry none.
    problem: why the champion is not served, empty while it is; changes: how often another took its place.
    """

    def __init__(self, artifacts: Path, version: str | None = None, standard: Path | None = None) -> None:
        self.artifacts, self.version, self.standard = artifacts, version, standard
        self.release: ServedRelease = open_release(artifacts, version, standard)
        self.problem, self.changes = "", 0
        self.ended = threading.Event()

    def follow(self) -> None:
        """Begin to follow the champion, on a thread, until `stop`."""
        if self.version is None:
            threading.Thread(target=self._follow, name="champion", daemon=True).start()

    def stop(self) -> None:
        """Follow no longer."""
        self.ended.set()

    def _follow(self) -> None:
        failed, next_try = "", 0.0
        while not self.ended.wait(LOOK_SECONDS):
            try:
                champion = champion_state(self.artifacts).champion
                if champion == self.release.version:
                    self.problem = ""
                elif champion is not None and (champion != failed or time.monotonic() >= next_try):
                    failed, next_try = champion, time.monotonic() + RETRY_SECONDS
                    self._change(champion)
            except (KensaError, OSError, ValueError) as error:
                self._tell(one_line(error))

    def _change(self, champion: str) -> None:
        before, self.release = self.release, open_release(self.artifacts, champion, self.standard)
        self.changes += 1
        self.problem = ""
        say(f"kensa serve: {self.release.version} judges in place of {before.version}")

    def _tell(self, problem: str) -> None:
        if problem != self.problem:
            say(f"kensa serve: {self.release.version} still judges: {problem}", "error")
        self.problem = problem
