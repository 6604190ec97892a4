"""Verdicts kept by day: whole files at any time, whatever ends the process, and no more memory than is allowed."""

from __future__ import annotations

import datetime
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.serving import VerdictService

from kensa.serving import kept_verdicts
from kensa.serving.bodies import ARROW, JSON, NPY, Parts
from kensa.serving.kept_verdicts import VerdictKeeper
from kensa.serving.served_release import NUMBERS, Verdicts
from tasks.core.errors import UnusableFolder
from tasks.data.listing import list_tables
from tasks.scoring.verdict_columns import VERDICTS_SCHEMA

CHILD = """
import sys
from pathlib import Path
from kensa.serving.kept_verdicts import VerdictKeeper
from kensa.serving import kept_verdicts
from test_kept_verdicts import request
kept_verdicts.FULL_ROWS = 300
keeper = VerdictKeeper(Path(sys.argv[1]), seconds=0.02)
keeper.start()
number = 0
while True:
    keeper.add(*request(1, f"{number}"))
    number += 1
    if number % 50 == 0:
        print(number, flush=True)
"""


def request(count, name="part", release="v1", registered=None):
    """The verdicts of a request, and its parts."""
    texts = {"verdict": np.array(["good"] * count, object), "mode": np.array(["0"] * count, object)}
    numbers = {key: np.arange(count) + 0.5 for key in NUMBERS}
    maps = np.arange(count * 6, dtype=np.float32).reshape(count, 6)
    return Verdicts(release, "d" * 64, texts | numbers), Parts(maps, [name] * count, registered)


def kept(folder):
    """All rows, in the order of the files' names."""
    paths = sorted(folder.glob("*/*.parquet"))
    return pa.concat_tables([pq.read_table(path) for path in paths]).to_pylist()


def test_rows_are_those_of_kensa_score(tmp_path):
    keeper = VerdictKeeper(tmp_path)
    keeper.add(*request(2, registered=[True, False]))
    keeper.add(*request(1, "other", "v2"))
    assert keeper.waiting == 3
    keeper.close()
    (path,) = tmp_path.glob("*/*.parquet")
    table = pq.read_table(path)
    assert table.schema.names == [*VERDICTS_SCHEMA.names, "registered"]
    assert path.parent.name == f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"
    columns = table.to_pydict()
    assert (columns["row"], columns["part"]) == ([0, 1, 0], ["part", "part", "other"])
    assert (columns["release"], columns["registered"]) == (["v1", "v1", "v2"], [True, False, None])
    assert columns["digest"] == ["d" * 16] * 3
    assert len(set(columns["record"][:2])) == 2
    assert list_tables(tmp_path).tables == (), "verdicts are no source of records"
    assert (keeper.waiting, keeper.lost, keeper.problem) == (0, 0, "")


def test_a_file_is_filled_and_then_another_begins(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_verdicts, "FULL_ROWS", 4)
    keeper = VerdictKeeper(tmp_path)
    for number in range(6):
        keeper.add(*request(2, str(number)))
        keeper.write()
    sizes = [pq.read_metadata(path).num_rows for path in sorted(tmp_path.glob("*/*.parquet"))]
    assert sizes == [4, 4, 4]
    assert [row["part"] for row in kept(tmp_path)] == [str(number) for number in range(6) for _ in range(2)]


def test_midnight_begins_another_folder(tmp_path, monkeypatch):
    keeper, now = VerdictKeeper(tmp_path), datetime.datetime(2026, 11, 29, 23, 59, 59, tzinfo=datetime.UTC)

    class Clock(datetime.datetime):
        @classmethod
        def now(cls, zone=None):
            return now

    monkeypatch.setattr(kept_verdicts.datetime, "datetime", Clock)
    keeper.add(*request(1, "before"))
    now += datetime.timedelta(seconds=2)
    keeper.add(*request(1, "after"))
    keeper.close()
    assert [path.parent.name for path in sorted(tmp_path.glob("*/*.parquet"))] == ["2026-11-29", "2026-11-30"]
    assert [row["part"] for row in kept(tmp_path)] == ["before", "after"]


def test_while_the_disk_takes_nothing_verdicts_wait_and_memory_is_bounded(tmp_path, monkeypatch, capsys):
    keeper = VerdictKeeper(tmp_path / "kept")
    monkeypatch.setattr(kept_verdicts, "MOST_WAITING", 5)

    def full(*words):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept_verdicts, "sync_to_disk", full)
    for number in range(4):
        keeper.add(*request(2, str(number)))
        keeper.write()
    assert (keeper.waiting, keeper.lost) == (4, 4)
    assert "No space left" in keeper.problem
    assert capsys.readouterr().err.count("verdicts wait, they cannot be kept") == 1
    assert [path.name for path in (tmp_path / "kept").glob("*/*")] == [], "nothing half-written"
    monkeypatch.undo()
    keeper.close()
    assert [row["part"] for row in kept(tmp_path / "kept")] == ["0", "0", "1", "1"]
    assert (keeper.waiting, keeper.problem) == (0, "")


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UnusableFolder):
        VerdictKeeper(tmp_path / "file")


@pytest.mark.slow
def test_a_killed_process_loses_the_last_moment_alone(tmp_path):
    """Killed at several moments while it writes: every file is whole, and rows are missing at the end only."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    for moment in range(5):
        folder = tmp_path / str(moment)
        child = subprocess.Popen([sys.executable, "-c", CHILD, folder], env=env, stdout=subprocess.PIPE, text=True)
        for line in child.stdout:
            added = int(line)
            if added >= 400 and any(folder.glob("*/*.parquet")):
                break
        time.sleep(0.011 * moment)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        rows = [int(row["part"]) for row in kept(folder)]
        assert rows == list(range(len(rows))), "none is missing between others, and none is there twice"
        assert len(rows) > 0


@pytest.mark.slow
def test_the_service_keeps_what_it_answered_and_a_part_is_traced(old_line, opened, tmp_path):
    place = old_line.artifacts / "traces" / "served"
    file = io.BytesIO()
    np.save(file, old_line.maps[:50])
    with VerdictService(tmp_path, old_line.artifacts, "--keep", str(place)) as service:
        body = f'{{"maps": {old_line.maps[:2].tolist()}, "parts": ["SN-0017", null]}}'.encode()
        named = service.post(body, JSON).json()["verdicts"]
        answer = service.post(file.getvalue(), NPY, Accept=ARROW)
        assert "kensa_serve_verdicts_waiting" in service.get("/metrics").text
        assert service.stop() == 0
    served = pa.ipc.open_stream(answer.content).read_all()
    rows = kept(place)
    assert len(rows) == 52
    assert [row["part"] for row in rows[:3]] == ["SN-0017", None, None]
    assert [row["score"] for row in rows] == [row["score"] for row in named] + served["score"].to_pylist()
    words = ["trace", "SN-0017", "--artifacts", str(old_line.artifacts)]
    done = subprocess.run([sys.executable, "-m", "kensa", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert named[0]["verdict"] in done.stdout
    assert "kensa serve" in done.stdout
