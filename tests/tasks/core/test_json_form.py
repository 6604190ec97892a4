"""Records from JSON: lists become tuples, nested objects records, and unknown keys are left out."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import pytest

from tasks.core.json_form import present_fields, record_of


@dataclass(frozen=True)
class Point:
    x: float
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Shape:
    points: tuple[Point, ...]
    by_name: dict[str, Point]
    best: Point | None = None


SHAPE = Shape((Point(1.0, (0.0, 2.0)), Point(2.0)), {"a": Point(3.0)})


def test_a_record_survives_json():
    entries = json.loads(json.dumps(asdict(SHAPE)))
    assert record_of(Shape, entries | {"later": 1}) == SHAPE


def test_a_missing_key_takes_its_default_or_is_an_error():
    assert record_of(Shape, {"points": [], "by_name": {}}).best is None
    with pytest.raises(TypeError, match="by_name"):
        record_of(Shape, {"points": []})


def test_fields_that_are_none_can_be_left_out():
    assert present_fields(Point(1.0)) == {"x": 1.0}
