"""Commands of `kensa` as processes that need not import the libraries: each is forked from one that has.

TensorFlow, Prefect's foundations, pandas and others take some seven seconds of processor time to import, of the
eighteen of a small retraining. Imported beforehand is only what does not look at the environment; the command reads
all of its own code and settings anew, in the folder and with the environment that it is given.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from support.project import ROOT

LIBRARIES = (
    *("tensorflow", "keras", "pandas", "pyarrow.parquet", "scipy.stats", "sklearn.metrics", "matplotlib.pyplot"),
    *("pydantic", "fastapi", "httpx", "rich.console", "rich.progress", "jinja2", "anyio", "sqlalchemy", "typer"),
)
# Commands that import them.
HEAVY = {"retrain", "sweep", "score", "drift", "maps", "recalibrate", "enrol", "study", "export", "reproduce"}
# What the libraries or Python read when they are imported: such a command is started as any other.
READ_BY_IMPORTS = ("PYTHON", "KERAS_", "TF_", "XLA_", "LANG", "LC_")


class CommandServer:
    """One for each process of a test session; it ends with that process, as its pipe does."""

    @classmethod
    @functools.cache
    def shared(cls) -> CommandServer:
        """The server of this process, started when the first command needs it."""
        return cls()

    def __init__(self) -> None:
        self.lock = threading.Lock()
        env = {name: value for name, value in os.environ.items() if not name.startswith(("KENSA_", "PREFECT_"))}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "support.command_server"],
            cwd=ROOT,
            env=env | {"PYTHONPATH": str(ROOT / "tests")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout.readline() == "ready\n"

    @staticmethod
    def can_run(words: list[str], env: dict[str, str]) -> bool:
        """Whether the command has much to import, and its imports are the same as everybody's."""
        is_usual = not any(name.startswith(READ_BY_IMPORTS) for name in env) and "--verbose" not in words
        return is_usual and bool(HEAVY & set(words[:1]))

    def run(self, words: list[str], folder: Path, env: dict[str, str], timeout: float) -> subprocess.CompletedProcess:
        """`kensa WORDS` in a folder, with this environment alone. Raises TimeoutExpired after killing it."""
        with tempfile.TemporaryDirectory() as streams:
            out, err, answers = (Path(streams, name) for name in ("stdout", "stderr", "answers"))
            os.mkfifo(answers)
            request = {"words": words, "folder": str(folder), "env": env, "streams": streams}
            with self.lock:
                self.process.stdin.write(json.dumps(request) + "\n")
                self.process.stdin.flush()
            with answers.open() as lines:
                command = int(lines.readline())
                end = threading.Timer(timeout, os.kill, (command, signal.SIGKILL))
                end.start()
                code = int(lines.readline())
                end.cancel()
            if code == -signal.SIGKILL:
                raise subprocess.TimeoutExpired(words, timeout, out.read_bytes(), err.read_bytes())
            return subprocess.CompletedProcess(words, code, out.read_text(), err.read_text())


def serve() -> None:
    """Run the command of each line of standard input, as many at once as are asked for."""
    from tasks.core.quiet_tensorflow import divert_stderr

    with divert_stderr():
        for name in LIBRARIES:
            importlib.import_module(name)
    gc.freeze()
    print("ready", flush=True)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # those who look after a command end unnoticed
    for line in sys.stdin:
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            look_after(**json.loads(line))
            return


def look_after(streams: str, **command: Any) -> None:
    """Run a command as a child; tell its process id, and then its exit code, through the pipe `answers`."""
    pid = os.fork()
    if pid == 0:
        sys.exit(run(Path(streams), **command))  # by the usual way out, with all that libraries do at the end
    with Path(streams, "answers").open("w", encoding="utf-8", buffering=1) as answers:
        print(pid, file=answers)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), file=answers)
    os._exit(0)


def run(streams: Path, words: list[str], folder: str, env: dict[str, str]) -> int:
    """Be the command: its folder, environment, streams and arguments."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    for number, path, mode in ((0, Path(os.devnull), "r"), (1, streams / "stdout", "w"), (2, streams / "stderr", "w")):
        with path.open(mode) as file:
            os.dup2(file.fileno(), number)
    sys.argv = ["kensa", *words]
    sys.path.remove(str(ROOT / "tests"))
    random.seed()
    from kensa.cli.main import main

    return main()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        serve()
