"""`kensa review`: the page as a process, and --publish."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pyarrow.parquet as pq
import pytest
from support.decided import decision
from support.inspected_parts import map_column
from support.prefect_server import free_port
from support.releases import NO_DRAFTS, reseal

from tasks.data.listing import DECIDED_FILE
from tasks.review.decisions import decide
from tasks.sources.decided_labels import read_decided


@pytest.fixture
def line(place, small_line, hidden):
    """A line whose training source is the folder `dataset`."""
    artifacts = Path(shutil.copytree(small_line.artifacts_folder, place.folder / "artifacts", ignore=NO_DRAFTS))
    (place.folder / "dataset").mkdir()
    pq.write_table(map_column(hidden(each=10, seed=9)), place.folder / "dataset" / "table.parquet")
    reseal(artifacts / "releases" / "v1", train={"source": "dataset", "kind": "folder", "revision": "0" * 40})
    return place


@pytest.mark.slow
def test_publish_writes_the_table_once(line):
    decide(line.folder / "artifacts", decision(values=20), known=0)
    done = line.kensa("review", "--publish", "--by", "M. Sato", "--json")
    assert done.code == 0, done.err
    assert (done.told["status"], done.told["labels"], done.told["source"]) == ("published", 1, "dataset")
    assert len(read_decided(line.folder / "dataset" / DECIDED_FILE)) == 1
    again = line.kensa("review", "--publish")
    assert again.code == 2
    assert again.err == ("kensa: artifacts: expected decisions that dataset lacks, found none; review parts first\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--pull-request",), "--pull-request: expected --publish with it, found none"),
        (("--publish", "--pull-request"), "expected a dataset of the Hub for a pull request, found a folder"),
        (("nowhere.csv",), "nowhere.csv: expected"),
        (("--artifacts", "none"), "none: expected a champion, found none"),
    ],
)
def test_what_is_wrong_is_one_line(line, words, error):
    done = line.kensa("review", *words, "--port", str(free_port()))
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert error in done.err


@pytest.mark.slow
def test_the_page_until_it_is_stopped(line):
    port, log = free_port(), line.folder / "review.log"
    shutil.copytree(line.folder / "artifacts", line.folder / "artifacts" / "boards")
    (line.folder / "kensa.toml").write_text('[lines.boards]\ntrain = "dataset"\n')
    words = [sys.executable, "-m", "kensa", "review", "dataset", "--most", "3", "--port", str(port)]
    words += ["--line", "boards", "--random", "0.3"]
    env = {"PATH": os.environ["PATH"], "HOME": str(line.folder)}
    with log.open("w") as out:
        process = subprocess.Popen(words, cwd=line.folder, env=env, stdout=out, stderr=out)
    try:
        end = time.monotonic() + 180
        while not (found := re.search(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", log.read_text())):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        while True:
            try:
                page = httpx.get(found[0], follow_redirects=True, timeout=60)
                break
            except httpx.ConnectError:
                time.sleep(0.1)
        assert "Kensa · review of parts" in page.text
    finally:
        process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert log.read_text().splitlines()[-1] == "kensa review: stopped"
    assert "GET" not in log.read_text(), "no address is logged"
