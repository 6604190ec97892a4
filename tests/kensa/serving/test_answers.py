"""Verdicts as JSON and as Arrow say the same."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa

from kensa.serving.answers import answer_body
from kensa.serving.bodies import ARROW, JSON, Parts
from kensa.serving.served_release import NUMBERS, Verdicts

NUMBER = {name: np.array([0.1, np.nan]) for name in NUMBERS}
TEXT = {"verdict": np.array(["good", "unreadable"], object), "mode": np.array(["0", "1"], object)}
MAPS = np.zeros((2, 6), np.float32)
NAMED = Parts(MAPS, ["left", None])
VERDICTS = Verdicts("v3", "abc", {**TEXT, **NUMBER})


def test_json_has_a_row_for_each_map_and_null_for_what_is_not_finite():
    kind, body = answer_body(VERDICTS, NAMED, "*/*")
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
    plain = json.loads(answer_body(VERDICTS, Parts(MAPS), "")[1])["verdicts"][0]
    assert not {"part", "registered"} & set(plain)


def test_photographs_say_whether_they_were_aligned():
    parts = Parts(MAPS, registered=[True, False])
    assert [row["registered"] for row in json.loads(answer_body(VERDICTS, parts, "")[1])["verdicts"]] == [True, False]
    table = pa.ipc.open_stream(answer_body(VERDICTS, parts, ARROW)[1]).read_all()
    assert table["registered"].to_pylist() == [True, False]


def test_arrow_has_the_same_columns():
    kind, body = answer_body(VERDICTS, NAMED, f"{ARROW}, */*")
    table = pa.ipc.open_stream(body).read_all()
    assert kind == ARROW
    assert table.column_names == ["row", "part", "verdict", "mode", *NUMBERS]
    assert table.schema.metadata == {b"release": b"v3", b"digest": b"abc"}
    assert table["part"].to_pylist() == ["left", None]
    assert table["score"].to_pylist()[0] == 0.1
