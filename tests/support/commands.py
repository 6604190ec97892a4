"""The command in a folder of its own: what it printed, how it ended, and what it left."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from support.command_server import CommandServer
from support.inspected_parts import COLS, ROWS
from support.project import BIN

NOBODY = "http://127.0.0.1:9"  # the discard port: refused at once
# Small enough for seconds; large enough that `hidden` beats the raw map and has its threshold.
SMALL = {
    "data.rows": ROWS,
    "data.cols": COLS,
    "tower.widths": "64-32-8",
    "fit.learning_rate": 0.01,
    "fit.epochs": 15,
    "fit.prototype": "mean-embedding",
    "evaluate.bootstrap": 100,
}


@dataclass(frozen=True)
class Done:
    """A command that has ended. `imported` is filled where Python was asked to tell its imports."""

    code: int
    out: str
    err: str
    seconds: float
    imported: frozenset[str]

    @property
    def told(self):
        """The one JSON object on stdout; anything beside it is an error."""
        return json.loads(self.out)

    @property
    def run_id(self):
        """The flow run's id, from the line that says where to look at it."""
        return re.search(r"/runs/flow-run/([0-9a-f-]{36})", self.err).group(1)


@dataclass
class Place:
    """A folder in which `kensa` runs, with an environment of its own."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        (self.folder / "home").mkdir(parents=True, exist_ok=True)
        home = {"HOME": "home", "HF_HOME": "home/hf", "PREFECT_HOME": "home/prefect"}
        folders = {name: str(self.folder / place) for name, place in home.items()}
        fonts = {"MPLCONFIGDIR": str(self.folder.parent / "matplotlib")}  # its font list takes seconds to make
        self.env = {"PATH": f"{BIN}:{os.environ['PATH']}", "HF_ENDPOINT": NOBODY, **fonts, **self.env, **folders}

    def kensa(self, *words, small=True, imports=False, **env):
        """Run the command; `small` adds the settings of `SMALL` to a retraining and a sweep."""
        words = [str(word) for word in words]
        if small and words[:1] in (["retrain"], ["sweep"]):
            keys = {word.partition("=")[0] for word in words}
            words += [] if "--preset" in keys else ["--preset", "notebook"]
            words += [word for key, value in SMALL.items() if key not in keys for word in ("--set", f"{key}={value}")]
        return self.run(BIN / "kensa", *words, **env, **({"PYTHONPROFILEIMPORTTIME": "1"} if imports else {}))

    def run(self, *words, timeout=600, **env):
        """Run any program here; `kensa` from a process that has imported the libraries, where that is the same."""
        words = [str(word) for word in words]
        env = {name: value for name, value in {**self.env, **env}.items() if value is not None}
        is_forked = words[0] == str(BIN / "kensa") and CommandServer.can_run(words[1:], env)
        server = CommandServer.shared() if is_forked else None
        start = time.monotonic()
        if server:
            done = server.run(words[1:], self.folder, env, timeout)
        else:
            done = subprocess.run(
                words, cwd=self.folder, env=env, capture_output=True, text=True, timeout=timeout, check=False
            )
        lines = done.stderr.splitlines(keepends=True)
        imported = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
        err = "".join(line for line in lines if not line.startswith("import time:"))
        return Done(done.returncode, done.stdout, err, time.monotonic() - start, frozenset(imported))

    def left_over(self):
        """What a run leaves half-written: dotted drafts and scratch folders, but for the locks."""
        drafts = [path for name in ("data", "artifacts") for path in (self.folder / name).rglob(".*")]
        return [path for path in drafts if not path.name.endswith(".lock")]

    def champion(self):
        """The champion's name, or None."""
        pointer = self.folder / "artifacts" / "champion.json"
        return json.loads(pointer.read_text())["champion"] if pointer.exists() else None
