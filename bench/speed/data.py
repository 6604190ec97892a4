"""The bench's part `data`: from the Hub or the cache to arrays."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.speed.synthetic import wide_triplets
from bench.speed.table import Line, ahead, over
from bench.speed.timing import ROOT, Way, in_turns


@contextmanager
def hub(folder: Path, content: bytes) -> Iterator[tuple[str, dict[str, str]]]:
    """The set at a Hub-shaped server on this machine: its name there, and the environment that leads to it."""
    sys.path.insert(0, str(ROOT / "tests"))
    from support.fake_hub import Hub

    with Hub() as served:
        served.commit("acme/triplets", {"data/train.parquet": content})
        yield "acme/triplets", served.env(folder / "home")


def data(folder: Path, rounds: int) -> list[Line]:
    """4 000 wide triplets to arrays: cold from the Hub, warm from the cache; and the notebook's way."""
    wide_triplets(folder / "source")
    file = folder / "source" / "triplets.parquet"
    runs = iter(range(1000))
    with hub(folder, file.read_bytes()) as (name, env):
        cold = Way("cold", [], env)

        def anew() -> None:
            number = next(runs)
            cold.env = {**env, "HF_HOME": str(folder / f"hf{number}")}
            cold.words = [sys.executable, "-m", "bench.speed.data_process", "cold", name, folder / f"data{number}"]

        cold.before = anew
        warm = Way("warm", [sys.executable, "-m", "bench.speed.data_process", "warm", file.parent, folder / "warm"])
        in_turns([cold, warm], 1, ROOT)
        warm.told.clear()  # the first made what is warm after it
        in_turns([cold, warm], rounds, ROOT)
    notebook = Way("notebook", [sys.executable, "-m", "bench.speed.notebook", file.parent, "--restructure"])
    notebook.run(ROOT)
    theirs = notebook.told[0]["DataFrame"] + notebook.told[0]["lists"]
    size = warm.told[0]["arrays"]
    took = {
        "cold": cold.median("seconds"),
        **{name: warm.median(name) for name in ("seconds", "verified", "read", "copy")},
    }
    whole, named, copy = "4 000 wide triplets, Hub to arrays", "the notebook's DataFrame and lists", took["copy"]
    return [
        ahead("data", whole, took["cold"], named, theirs, "200"),
        ahead("data", "folder to arrays, everything cached and verified", took["seconds"], named, theirs),
        over("data", "cache to arrays", took["read"], f"np.load and a copy, {size:.0f} MB", copy, "2"),
        over("data", "the same, with its SHA-256", took["read"] + took["verified"], "np.load and a copy", copy),
        over("data", "cold, memory", cold.median("megabytes"), "the distinct records", size, "2", "MB"),
    ]
