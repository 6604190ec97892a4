"""The columns of a table of verdicts are a promise, and knowing them starts no TensorFlow."""

from __future__ import annotations

import subprocess
import sys

from tasks.scoring.verdict_columns import VERDICTS_SCHEMA


def test_the_columns_are_those_that_programs_of_users_read():
    predictions = ["row", "mode", "distance", "score", "verdict", "margin", "beta", "sqrt_ve"]
    assert VERDICTS_SCHEMA.names == [*predictions, "part", "record", "release", "digest", "time"]


def test_pyarrow_alone_is_imported():
    code = "import sys, tasks.scoring.verdict_columns; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pyarrow" in done.stdout.split()
    assert not {"keras", "tensorflow", "prefect"} & set(done.stdout.split())
