"""A request that makes no sense is refused before anything is read; a result has the keys that were promised."""

from __future__ import annotations

import pytest

from tasks.core.errors import BadSetting
from tasks.enrolment.request import EnrolRequest, EnrolResult


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({"kind": "mode"}, "--name: expected the name of the new mode"),
        ({"kind": "mode", "name": "  "}, "--name: expected the name of the new mode"),
        ({"kind": "lot", "margin": 0.0}, "--margin: expected a share between 0 and 1"),
        ({"kind": "mode", "name": "7", "recall": 1.1}, "--recall: expected a share between 0 and 1"),
        ({"kind": "lot", "margin": float("nan")}, "--margin: expected a share"),
    ],
)
def test_what_makes_no_sense_is_refused(words, expected):
    with pytest.raises(BadSetting, match=expected):
        EnrolRequest(**words)


def test_a_lot_needs_no_name():
    assert EnrolRequest("lot").name is None


def test_the_keys_of_the_result():
    result = EnrolResult("released", "v2", "v1", "releases/v2", "mode", "7", {"parts": 5}, "v1")
    assert set(result.as_json()) == {"status", "release", "parent", "path", "kind", "name", "facts", "champion"}
