"""`kensa maps`: the options of the maps, the demonstration, and what is printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasks.core.results import MapsResult


@pytest.fixture
def requests(monkeypatch):
    """What reaches the step, which is left out."""
    seen = []
    result = MapsResult("maps", 1200, {"good": 1000, "dent": 200}, ("a.png",), 50, 2)
    monkeypatch.setattr("tasks.maps.make_maps", lambda *values: seen.append(values) or result)
    return seen


def test_options_become_those_of_the_maps(run, requests):
    words = [
        "photos",
        "--standard",
        "good",
        "--out",
        "maps",
        "--rows",
        "10",
        "--register",
        "shift",
        "--max-shift",
        "3.5",
    ]
    lines = run("maps", *words).out.splitlines()
    [(photos, standard, out, options, good, most_unregistered, dask)] = requests
    assert dask is None
    assert (photos, standard, out, good, most_unregistered) == (Path("photos"), Path("good"), Path("maps"), "good", 0.1)
    assert (options.rows, options.cols, options.register, options.most_shift, options.most_turn) == (
        10,
        39,
        "shift",
        3.5,
        6,
    )
    assert lines == [
        "maps: 1,200 maps (200 dent, 1,000 good) against a standard of 50",
        "  1 could not be registered, such as a.png",
        "  2 are in the standard, too: their maps look better than those of new parts",
    ]


def test_a_standard_is_needed(run, requests):
    ended = run("maps", "photos", "--out", "maps")
    assert (ended.code, requests) == (2, [])
    assert ended.err.startswith("kensa: --standard: expected a folder of good photographs")


def test_the_demonstration_says_what_to_do_next(run, monkeypatch):
    folders = {"photographs": "demo/photos", "standard": "demo/standard"}
    monkeypatch.setattr("tasks.imaging.demo.write_demo", lambda out: folders)
    out = run("maps", "demo", "--out", "demo").out
    assert out.endswith("next: kensa maps demo/photos --standard demo/standard --out demo/maps\n")
    assert json.loads(run("maps", "demo", "--out", "demo", "--json").out) == folders
