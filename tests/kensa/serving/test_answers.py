"""Verdicts as JSON and as Arrow say the same."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa

from kensa.serving.answers import answer_body
from kensa.serving.bodies import ARROW, JSON
from kensa.serving.served_release import NUMBERS, Verdicts

NUMBER = {name: np.array([0.1, np.nan]) for name in NUMBERS}
TEXT = {"verdict": np.array(["good", "unreadable"], object), "mode": np.array(["0", "1"], object)}
VERDICTS = Verdicts("v3", "abc", {**TEXT, **NUMBER})


def test_json_has_a_row_for_each_map_and_null_for_what_is_not_finite():
    kind, body = answer_body(VERDICTS, ["left", None], "*/*")
    content = json.loads(body)
    assert (kind, content["release"], content["digest"]) == (JSON, "v3", "abc")
    assert content["verdicts"][0] == {
        "row": 0,
        "part": "left",
        "verdict": "good",
        "mode": "0",
        **dict.fromkeys(NUMBERS, 0.1),
    }
    assert content["verdicts"][1]["score"] is None
    assert "part" not in json.loads(answer_body(VERDICTS, None, "")[1])["verdicts"][0]


def test_arrow_has_the_same_columns():
    kind, body = answer_body(VERDICTS, ["left", None], f"{ARROW}, */*")
    table = pa.ipc.open_stream(body).read_all()
    assert kind == ARROW
    assert table.column_names == ["row", "part", "verdict", "mode", *NUMBERS]
    assert table.schema.metadata == {b"release": b"v3", b"digest": b"abc"}
    assert table["part"].to_pylist() == ["left", None]
    assert table["score"].to_pylist()[0] == 0.1
