"""The bench's parts `line` and `start`: the whole command, and what a person waits for before anything is done."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from bench.speed.synthetic import wide_triplets
from bench.speed.table import Line, ahead, seconds
from bench.speed.timing import BIN, ROOT, Way, in_turns


def line(folder: Path, rounds: int) -> list[Line]:
    """`kensa retrain` on 4 000 wide triplets, from start to end, and what Prefect is of it."""
    wide_triplets(folder / "source")
    runs, home = iter(range(1000)), {"PREFECT_HOME": str(folder / "prefect"), "HF_HOME": str(folder / "hf")}
    words = [BIN / "kensa", "retrain", "--train", folder / "source", "--preset", "notebook", "--json"]

    def fresh(way: Way, *more: str) -> Callable[[], None]:
        def change() -> None:
            place = folder / f"run{next(runs)}"
            way.words = [*words, "--data", place / "data", "--artifacts", place / "artifacts", *more]

        return change

    bare = Way("without Prefect", [])
    bare.before = lambda: setattr(
        bare,
        "words",
        [sys.executable, "-m", "bench.speed.data_process", "line", folder / "source", folder / f"run{next(runs)}"],
    )
    own = Way("with its own server", [], home)
    own.before = fresh(own)
    notebook = Way("the notebook", [sys.executable, "-m", "bench.speed.notebook", folder / "source"])
    in_turns([bare, own], rounds, ROOT)
    notebook.run(ROOT)
    again = Way("unchanged", own.words, home)
    in_turns([again], rounds, ROOT)
    with server(folder) as address:  # only now: it takes its share of the cores
        served = Way("with a server", [], {**home, "PREFECT_API_URL": address})
        served.before = fresh(served)
        in_turns([served], rounds, ROOT)
        again_served = Way("unchanged, with a server", served.words, served.env)
        in_turns([again_served], rounds, ROOT)
    wall = {way.name: way.median("wall") for way in (bare, own, served, again, again_served, notebook)}
    theirs, whole = wall["the notebook"], "`kensa retrain`, 4 000 wide triplets, all outputs"
    prefect = {name: wall[name] - wall["without Prefect"] for name in ("with its own server", "with a server")}
    return [
        ahead("line", whole, wall["with its own server"], "the notebook", theirs),
        ahead("line", "the same, with a running server", wall["with a server"], "the notebook", theirs),
        ahead(
            "line", "the same steps and outputs without Prefect", wall["without Prefect"], "the notebook", theirs, "8"
        ),
        Line("line", "of it Prefect, with a server of its own", seconds(prefect["with its own server"])),
        Line("line", "of it Prefect, with a running server", seconds(prefect["with a server"]), goal="3 s"),
        Line("line", "nothing new, no server", seconds(wall["unchanged"]), goal="1 s"),
        Line("line", "nothing new, shown at a server", seconds(wall["unchanged, with a server"])),
    ]


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """A Prefect server of the bench's own; its API's address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [BIN / "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    env = {"PATH": f"{BIN}:/usr/bin:/bin", "HOME": str(folder), "PREFECT_HOME": str(folder / "served")}
    process = subprocess.Popen(words, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}/api"
    try:
        transport = httpx.HTTPTransport(retries=8)  # half a second, one, two, …
        with httpx.Client(transport=transport, timeout=60) as client:
            client.get(f"{address}/health").raise_for_status()
        yield address
    finally:
        process.terminate()
        process.wait(60)


def start(folder: Path, rounds: int) -> list[Line]:
    """What a person waits for before anything is done."""
    ways = [
        Way(word, [BIN / "kensa", word, *more])
        for word, *more in (["--help"], ["releases", "--artifacts", str(folder)])
    ]
    in_turns(ways, 2 * rounds + 1, ROOT)
    return [Line("start", f"`kensa {way.name}`", seconds(way.median("wall")), goal="0.4 s") for way in ways]
