"""Registration finds small shifts and turns, and reports what it cannot register."""

from __future__ import annotations

import numpy as np
import pytest
from support.photographs import move

from tasks.imaging.demo import demo_photographs, good_photographs
from tasks.imaging.registration import register

pytest.importorskip("cv2", reason="needs the extra photos")


@pytest.fixture(scope="module")
def mean():
    return good_photographs(10).mean(axis=0)


@pytest.fixture(scope="module")
def photo():
    return demo_photographs([(0, 0)])[0]


@pytest.mark.parametrize(("right", "down", "turn"), [(0, 0, 0), (5, -4, 0), (-3, 2, 2.5), (6, 6, -3)])
def test_a_moved_part_is_brought_back(photo, mean, right, down, turn):
    unmoved, before = register(photo, mean, "rigid", 12, 6)
    registered, after = register(move(photo, right, down, turn), mean, "rigid", 12, 6)
    assert after.registered
    assert after.turn - before.turn == pytest.approx(-turn, abs=0.1)
    assert np.abs(registered - unmoved)[10:-10, 10:-10].mean() < 0.006


def test_a_shift_alone_is_found_without_a_turn(photo, mean):
    _, before = register(photo, mean, "shift", 12, 6)
    _, after = register(move(photo, 5, -4), mean, "shift", 12, 6)
    assert (after.right - before.right, after.down - before.down) == (
        pytest.approx(5, abs=0.3),
        pytest.approx(-4, abs=0.3),
    )
    assert after.turn == 0


def test_without_registration_the_photograph_stays(photo, mean):
    values, alignment = register(photo, mean, "none", 12, 6)
    assert values is photo
    assert alignment.registered


def test_what_lies_too_far_or_shows_something_else_is_reported_and_left(photo, mean):
    far = move(photo, 9, 0)
    values, alignment = register(far, mean, "rigid", 4, 6)
    assert not alignment.registered
    np.testing.assert_array_equal(values, far)
    noise = np.random.default_rng(0).uniform(0, 1, mean.shape).astype(np.float32)
    assert not register(noise, mean, "rigid", 12, 6)[1].registered
    assert not register(np.zeros_like(mean), mean, "rigid", 12, 6)[1].registered
