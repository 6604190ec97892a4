"""Maps agree with RT window by window, and stay sensible where a window is black or flat."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.imaging import rt
from tasks.imaging.windows import MIN_PIXEL_DEVIATION, PEDESTAL, fit_windows, rt_maps, windows


@pytest.fixture(scope="module")
def good() -> np.ndarray:
    rng = np.random.default_rng(0)
    scene = rng.uniform(0, 1, (144, 156))
    return (scene * rng.normal(1, 0.05, (20, 1, 1)) + rng.normal(0, 0.02, (20, 144, 156))).astype(np.float32)


@pytest.fixture(scope="module")
def photos() -> np.ndarray:
    return np.random.default_rng(1).uniform(0, 1, (5, 144, 156)).astype(np.float32)


def test_shape_and_type(good: np.ndarray, photos: np.ndarray) -> None:
    maps = rt_maps(photos, fit_windows(good))
    assert maps.shape == (5, 36, 39)
    assert maps.dtype == np.float32


@pytest.mark.parametrize(("row", "col"), [(0, 0), (0, 38), (17, 5), (35, 0), (35, 38)])
def test_a_map_is_rt_window_by_window(good: np.ndarray, photos: np.ndarray, row: int, col: int) -> None:
    def window(of: np.ndarray) -> np.ndarray:
        cut = of[:, 4 * row : 4 * row + 4, 4 * col : 4 * col + 4]
        return cut.reshape(len(of), 16).astype(np.float64) + PEDESTAL

    unit = window(good)
    space = rt.fit(unit, ridge=MIN_PIXEL_DEVIATION**2 / np.square(unit.mean(axis=0)).sum())
    np.testing.assert_allclose(
        rt_maps(photos, fit_windows(good))[:, row, col], rt.distance(window(photos), space), rtol=1e-5
    )


def test_windows_are_row_major() -> None:
    """In a 4 × 6 picture of its own pixel numbers, windows of 2 × 3 begin at 0, 3, 12 and 15."""
    cut = windows(np.arange(24.0).reshape(1, 4, 6), rows=2, cols=2)
    assert cut[0, :, 0].tolist() == [0, 3, 12, 15]
    assert cut[0, 1].tolist() == [3, 4, 5, 9, 10, 11]


def test_a_photograph_s_map_does_not_depend_on_its_neighbours(good: np.ndarray, photos: np.ndarray) -> None:
    grid, many = fit_windows(good), np.concatenate([photos] * 14)
    alone = np.concatenate([rt_maps(photo[None], grid) for photo in photos])
    np.testing.assert_array_equal(rt_maps(many, grid), np.concatenate([alone] * 14))


def test_other_grids_and_photographs_of_another_size(good: np.ndarray) -> None:
    assert rt_maps(good[:, :60, :40], fit_windows(good[:, :60, :40], rows=6, cols=4)).shape == (20, 6, 4)


def test_mean_squared_distance_on_the_good_parts_is_one(good: np.ndarray) -> None:
    """Exactly one without the ridge; one grey level of it takes a little off where the noise is five."""
    assert np.mean(rt_maps(good, fit_windows(good)) ** 2, dtype=np.float64) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_a_window_without_any_noise_stays_calm(level: float) -> None:
    """One grey level of change in a black, grey or saturated picture is about one, a stain is far."""
    flat = np.full((5, 8, 8), level, np.float32)
    speck, stain = flat[:1].copy(), flat[:1].copy()
    speck[0, 1, 1] += 1 / 255
    stain[0, :4, :4] = abs(level - 0.5)
    grid = fit_windows(flat, rows=2, cols=2)
    assert np.all(rt_maps(flat, grid) == 0)
    assert 0 < rt_maps(speck, grid).max() < 1
    assert rt_maps(stain, grid)[0, 0, 0] > 20


@pytest.mark.parametrize("shape", [(4, 143, 156), (4, 144, 155), (4, 36, 39), (144, 156), (4, 0, 156)])
def test_sizes_that_do_not_divide_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected .* received"):
        fit_windows(np.ones(shape, np.float32))


def test_photographs_of_another_size_than_the_good_ones_are_refused(good: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected photographs of 144 × 156 pixels, received \(2, 288, 312\)"):
        rt_maps(np.ones((2, 288, 312), np.float32), fit_windows(good))


def test_too_few_good_photographs_are_refused(good: np.ndarray) -> None:
    with pytest.raises(ValueError, match="at least 3 records, received 2"):
        fit_windows(good[:2])


def test_a_colour_window_holds_all_channels() -> None:
    """A change of colour alone, at the same grey: visible in the values of all channels and not in their mean."""
    rng = np.random.default_rng(0)
    level, noise = rng.normal(1, 0.02, (30, 1, 1, 1)), rng.normal(0, 0.01, (30, 12, 16, 3))
    good = rng.uniform(0.3, 0.7, (1, 12, 16, 3)) * level + noise
    odd = good[:1].copy()
    odd[0, 4:6, 4:6] += np.array([0.2, -0.1, -0.1])
    colour = rt_maps(odd, fit_windows(good, 6, 8))[0]
    grey = rt_maps(odd.mean(axis=3), fit_windows(good.mean(axis=3), 6, 8))[0]
    assert colour[2, 2] > 5 * np.median(colour)
    assert grey[2, 2] < 5 * np.median(grey)
    window = good[:, 4:6, 4:6].reshape(30, 12) + PEDESTAL
    space = rt.fit(window, ridge=MIN_PIXEL_DEVIATION**2 / np.square(window.mean(axis=0)).sum())
    assert colour[2, 2] == pytest.approx(rt.distance(odd[:, 4:6, 4:6].reshape(1, 12) + PEDESTAL, space)[0], rel=1e-4)
