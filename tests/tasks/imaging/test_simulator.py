"""Photographs of the simulated part: 8-bit grey values, one random stream a photograph, defects that show."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.imaging.simulator import DEVIATION, HEIGHT, MODES, WIDTH, Setup, perturb_setup, render_photograph

NOMINAL = Setup(*[0.0] * 9)


def photograph(seed: int, mode: int) -> np.ndarray:
    return render_photograph(np.random.default_rng(seed), NOMINAL, mode)


def test_a_photograph_has_grey_values_in_8_bit_steps():
    values = photograph(0, 0)
    assert values.shape == (HEIGHT, WIDTH)
    assert values.min() >= 0
    assert values.max() <= 1
    np.testing.assert_allclose(values * 255, np.rint(values * 255), atol=1e-4)


def test_the_same_stream_gives_the_same_photograph():
    np.testing.assert_array_equal(photograph(3, 5), photograph(3, 5))
    assert not np.array_equal(photograph(3, 5), photograph(4, 5))


@pytest.mark.parametrize("mode", range(1, MODES))
def test_a_defect_changes_its_surroundings_alone(mode):
    """The same part without its defect has other noise, but no other outline."""
    rng = np.random.default_rng(mode)
    part = perturb_setup(rng, NOMINAL)
    good = render_photograph(np.random.default_rng(mode), part, 0)
    defects = [render_photograph(np.random.default_rng(100 * mode + seed), part, mode) for seed in range(4)]
    largest = [np.abs(defect - good).max() for defect in defects]
    assert max(largest) > 0.2


def test_setups_vary_around_the_lot_by_their_deviations():
    rng = np.random.default_rng(0)
    setups = np.array([perturb_setup(rng, Setup(*[1.0] * 9), share=2.0) for _ in range(2000)])
    np.testing.assert_allclose(setups.mean(axis=0), 1, atol=0.1)
    np.testing.assert_allclose(setups.std(axis=0), 2 * np.array(DEVIATION), rtol=0.1)


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="expected a mode of 0 to 9, received 10"):
        photograph(0, 10)
