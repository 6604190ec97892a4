"""The faults of the journal, an eighth of them: `make faults` runs all."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from support.project import ROOT

RUN = """
import json, sys
from pathlib import Path
import bench.faults.__main__
from bench.faults.journal import journal
rows = journal(Path(sys.argv[1]), 7, float(sys.argv[2]))
print(json.dumps([[row.kind, row.tried, row.lost] for row in rows]))
"""


@pytest.mark.slow
def test_nothing_is_lost_and_nothing_is_doubled(tmp_path):
    """In a process of its own, because the children are forked."""
    words = [sys.executable, "-c", RUN, tmp_path, "0.125"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    for kind, tried, lost in json.loads(done.stdout):
        assert tried >= 2, kind
        assert lost == [], kind
