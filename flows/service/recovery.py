"""Takes up again the runs that died on this machine, as soon as that is sure.

What the server calls running, and whose lock nobody holds, is dead, whichever of flow, worker, server and
`kensa up` died with it, and whatever the server has forgotten at a restart. The automations, which wait for
missing heartbeats, are the net for workers elsewhere.
"""

from __future__ import annotations

import datetime
import time
from pathlib import Path
from typing import Any

from flows.service import run_locks
from flows.service.prefect_api import PrefectApi

DIED = 5  # seconds for a worker that lives to say itself that its run crashed
# A worker reports a crash twice: at once, and once it has looked for hooks. Taken up in between, the new try
# would be called crashed by the old one's second report.
REPORTED = 12
NEVER_BEGAN = 120  # seconds in which a worker brings a run to its first line
ASK = 20  # seconds between two questions for such runs: they leave no file, so the server must be asked
WAITS = {"RUNNING": DIED, "CANCELLING": DIED, "CRASHED": REPORTED}
CANCELLED = {"type": "CANCELLED", "name": "Cancelled", "message": "its process had ended"}
CRASHED = {"type": "CRASHED", "name": "Crashed", "message": "its process died, and nothing holds its lock"}
AGAIN = {"type": "SCHEDULED", "name": "AwaitingRetry", "message": "taken up again after a crash"}
FINAL = {"COMPLETED", "FAILED", "CANCELLED"}


class RunRecovery:
    """Looks again and again at the runs whose locks lie below `folder`."""

    def __init__(self, api: PrefectApi, folder: Path) -> None:
        self.api, self.folder = api, folder
        self.seen: dict[str, tuple[str, float]] = {}  # dead run -> its state, and when it was first seen in it
        self.asked = -float(ASK)

    def recover_due(self) -> list[str]:
        """Take up what is due, and return the names of those runs; raises ServerUnreachable."""
        ids = run_locks.dead_runs(self.folder)
        runs = self._runs({"id": {"any_": ids}}) if ids else []
        for gone in set(ids) - {run["id"] for run in runs}:
            run_locks.remove_run_lock(self.folder, gone)  # a run of another server, or deleted
        taken = [run["name"] for run in runs if self._taken(run)]
        self.seen = {key: value for key, value in self.seen.items() if key in ids}
        return taken + [run["name"] for run in self._never_began() if self._again(run)]

    def has_pending(self) -> bool:
        """Whether a dead run was seen that is not sure enough yet."""
        return bool(self.seen)

    def recover_all(self) -> list[str]:
        """Look until nothing is left to wait for; the names of the runs taken up."""
        taken = self.recover_due()
        while self.has_pending():
            time.sleep(1)
            taken += self.recover_due()
        return taken

    def _taken(self, run: dict[str, Any]) -> bool:
        kind = run["state"]["type"]
        if kind in FINAL:
            run_locks.remove_run_lock(self.folder, run["id"])
        wait = WAITS.get(kind)
        if wait is None:
            self.seen.pop(run["id"], None)
            return False
        if self._since(run) < wait or run_locks.is_run_locked(self.folder, run["id"]):
            return False
        if kind == "CANCELLING":
            self._set(run, CANCELLED)
            return False
        return self._again(run)

    def _since(self, run: dict[str, Any]) -> float:
        """Seconds since the run was first seen dead in its present state."""
        state, first = self.seen.get(run["id"], (None, 0.0))
        if state != run["state"]["id"]:
            first = time.monotonic()
            self.seen[run["id"]] = (run["state"]["id"], first)
        return time.monotonic() - first

    def _never_began(self) -> list[dict[str, Any]]:
        """Runs that a worker took and then did not bring to life: it died on the way."""
        if time.monotonic() - self.asked < ASK:
            return []
        self.asked = time.monotonic()
        before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=NEVER_BEGAN)
        pending = self._runs({"state": {"type": {"any_": ["PENDING"]}}, "tags": {"all_": ["kensa"]}})
        old = [run for run in pending if datetime.datetime.fromisoformat(run["state"]["timestamp"]) < before]
        return [run for run in old if not run_locks.is_run_locked(self.folder, run["id"])]

    def _again(self, run: dict[str, Any]) -> bool:
        """Crashed first, so that the history in the UI says what happened and its place is given back.

        A run without a deployment, one line's part of a run of all lines, is not taken up alone.
        """
        self.seen.pop(run["id"], None)
        if run["state"]["type"] != "CRASHED":
            self._set(run, CRASHED)
        if run["deployment_id"] is None:
            run_locks.remove_run_lock(self.folder, run["id"])
            return False
        return self._set(run, AGAIN)

    def _runs(self, which: dict[str, Any]) -> list[dict[str, Any]]:
        return self.api.post("/flow_runs/filter", {"flow_runs": which})

    def _set(self, run: dict[str, Any], state: dict[str, str]) -> bool:
        """Whether the server's rules let the run into this state."""
        return self.api.post(f"/flow_runs/{run['id']}/set_state", {"state": state})["status"] == "ACCEPT"
