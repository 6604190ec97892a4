"""docs/production.md: its backup is restored in another folder, and what was done there is known here."""

from __future__ import annotations

import re
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
from support.inspected_parts import map_column
from support.project import BIN, ROOT

from flows.service.ledger import Ledger

PAGE = (ROOT / "docs" / "production.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("## What to back up")[2].partition("\n## ")[0]
BACK_UP, RESTORE = re.findall(r"```\n(.*?)```", SECTION, re.S)


def shell(place, block):
    """A block of the page, run by a shell in a folder."""
    block = block.replace(".venv/bin/python", sys.executable)
    env = {**place.env, "PATH": f"{BIN}:/usr/bin:/bin"}
    subprocess.run(["bash", "-euc", block], cwd=place.folder, env=env, check=True, capture_output=True, text=True)


def with_parts(place, hidden):
    (place.folder / "boards").mkdir()
    pq.write_table(map_column(hidden(200)), place.folder / "boards" / "table.parquet")
    return place


@pytest.mark.slow
def test_a_backup_is_restored_elsewhere(a_place, server, hidden, tmp_path):
    there = with_parts(a_place(tmp_path / "there", server.env), hidden)
    words = ("retrain", "--train", "./boards", "--json")
    first = there.kensa(*words).told
    assert first["status"] == "released"
    (there.folder / "kensa.toml").write_text('[lines.boards]\ntrain = "acme/boards"\n')
    ledger = Ledger(there.folder / "data")
    ledger.note("boards", "a" * 40)
    ledger.head("boards", "a" * 40)
    assert ledger.claim("boards", "a" * 40, "run-1") == "train"
    ledger.finish("boards", "a" * 40, "run-1", "done")
    shell(there, BACK_UP)
    assert not (there.folder / "ledger.sqlite").exists()

    here = with_parts(a_place(tmp_path / "here", server.env), hidden)
    (there.folder / "kensa-backup.tgz").rename(here.folder / "kensa-backup.tgz")
    shell(here, RESTORE)
    assert here.champion() == first["release"]
    again = here.kensa(*words)
    assert (again.told["status"], again.told["release"]) == ("unchanged", first["release"])
    assert here.kensa("score", "./boards", "--json").code == 0
    assert Ledger(here.folder / "data").claim("boards", "a" * 40, "run-2") != "train", "it was done there"
