"""A few hundred bad inputs at every entry; `make faults` puts ten thousand."""

from __future__ import annotations

import pytest

from bench.faults.bad_data import entries, fuzz
from bench.faults.result_row import Row

COUNT = {"`--set` words": 100, "kensa.toml and settings files": 100, "deliveries to the webhook": 100}
COUNT |= {"manifests of releases": 60, "tables and files as sources": 25}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of libraries, about what no test of ours would bring
def test_every_refusal_is_a_known_error_in_one_line(tmp_path):
    for kind, (_, check, strategies) in entries(tmp_path).items():
        row = Row("bad data", kind, 42)
        fuzz(check, strategies, COUNT[kind], 42, row)
        assert row.lost == [], kind
        assert row.tried >= COUNT[kind]
