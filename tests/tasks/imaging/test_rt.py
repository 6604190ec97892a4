"""RT by hand, against golden figures of R's iris, and where a naive version breaks."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_iris

from tasks.imaging import rt

IRIS = load_iris().data  # differs from R's only in rows 35 and 38, which are not used here
JUDGED = IRIS[[0, 50, 100]]


@pytest.fixture
def unit() -> np.ndarray:
    return IRIS[60:100]


def test_golden_unit_space_of_iris(unit: np.ndarray) -> None:
    space = rt.fit(unit)
    np.testing.assert_allclose(space.m, [5.895, 2.745, 4.2325, 1.3125], atol=1e-12)
    assert space.r == pytest.approx(61.9227625, abs=1e-9)
    np.testing.assert_allclose(space.mean_y, [1, 0.20465886], atol=5e-9)
    np.testing.assert_allclose(space.V, [[0.00625297, 0.0004172], [0.0004172, 0.01046029]], atol=5e-9)
    np.testing.assert_allclose(rt.fit(unit, ddof=1).V, [[0.0064133, 0.0004279], [0.0004279, 0.01072851]], atol=6e-9)


def test_golden_coordinates_and_distances_of_iris(unit: np.ndarray) -> None:
    space, unbiased = rt.fit(unit), rt.fit(unit, ddof=1)
    y = [[0.740600034, 1.448687044], [1.159173898, 0.168688037], [1.209139369, 0.875177260]]
    np.testing.assert_allclose(rt.coordinates(JUDGED, space.m), y, atol=5e-9)
    np.testing.assert_allclose(rt.distance(JUDGED, space), [9.035007, 1.459446, 4.915064], atol=1e-6)
    np.testing.assert_allclose(rt.distance(JUDGED, unbiased), [8.921355, 1.441087, 4.853236], atol=1e-6)
    adjugate = rt.distance(JUDGED, unbiased, adjugate=True) ** 2
    np.testing.assert_allclose(adjugate, [0.005461665, 0.000142510, 0.001616316], atol=1e-8)


def test_by_hand() -> None:
    """m = [2, 4, 6], r = 56. x = 2m: β = 2, no error. x = [6, 4, 2]: β = 40/56, S_e = 56 − 40²/56, V_e = S_e/2."""
    space = rt.fit([[2, 4, 6], [1, 5, 6], [3, 3, 6]])
    np.testing.assert_allclose(space.m, [2, 4, 6])
    assert space.r == pytest.approx(56)
    y = rt.coordinates([[4, 8, 12], [6, 4, 2]], space.m)
    np.testing.assert_allclose(y, [[2, 0], [0.714286, 3.703280]], atol=1e-6)


def test_euclidean_distance_is_the_two_coordinates_with_fixed_weights() -> None:
    """|x−m|²/r = (β−1)² + S_e/r, with S_e = (k−1)·Y2²."""
    rng = np.random.default_rng(0)
    x, space = rng.normal(2, 1, (50, 7)), rt.fit(rng.normal(3, 1, (20, 7)))
    beta, root_ve = rt.coordinates(x, space.m).T
    euclidean = np.square(x - space.m).sum(axis=1) / space.r
    np.testing.assert_allclose(euclidean, (beta - 1) ** 2 + 6 * root_ve**2 / space.r, rtol=1e-12)


@pytest.mark.parametrize("shape", [(3, 2), (40, 4), (12, 200)])
def test_mean_of_squared_distance_over_the_unit_space_is_one(shape: tuple[int, int]) -> None:
    unit = np.random.default_rng(1).normal(5, 1, shape)
    assert np.mean(rt.distance(unit, rt.fit(unit)) ** 2) == pytest.approx(1, abs=1e-6)


def test_distance_has_no_unit(unit: np.ndarray) -> None:
    np.testing.assert_allclose(
        rt.distance(1e-6 * JUDGED, rt.fit(1e-6 * unit)), rt.distance(JUDGED, rt.fit(unit)), rtol=1e-9
    )


def test_float32_input_is_computed_in_float64(unit: np.ndarray) -> None:
    given = rt.distance(JUDGED.astype(np.float32), rt.fit(unit.astype(np.float32)))
    assert given.dtype == np.float64
    np.testing.assert_allclose(given, rt.distance(JUDGED, rt.fit(unit)), rtol=1e-5)


def test_unit_spaces_side_by_side_are_each_their_own() -> None:
    rng = np.random.default_rng(2)
    unit, x = rng.normal(3, 1, (9, 5, 4)), rng.normal(3, 1, (6, 5, 4))
    together = rt.distance(x, rt.fit(unit, ridge=np.arange(5) / 10))
    apart = [rt.distance(x[:, i], rt.fit(unit[:, i], ridge=i / 10)) for i in range(5)]
    np.testing.assert_allclose(together, np.stack(apart, axis=1), rtol=1e-12)


def test_parallel_to_the_mean_pattern_is_finite_and_without_error() -> None:
    space = rt.fit(np.random.default_rng(3).normal(0.3, 0.1, (8, 16)))
    x = np.outer([1, 1e-9, 1 / 3, 1e6, 0, -2], space.m)
    y, d = rt.coordinates(x, space.m), rt.distance(x, space)
    np.testing.assert_allclose(y[:, 0], [1, 1e-9, 1 / 3, 1e6, 0, -2], rtol=1e-12)
    assert np.all(y[:, 1] <= 1e-15 * np.abs(x).max(axis=1))
    assert np.isfinite(d).all()


@pytest.mark.parametrize("rows", [[1, 1, 1], [0, 1, 1], [0, 1, 0, 1, 1]])
def test_a_singular_v_needs_a_ridge(rows: list[int]) -> None:
    """Equal records give V = 0, two distinct ones a V of rank one."""
    unit = np.array([[1.0, 2.0, 3.0, 4.0], [1.5, 1.5, 3.5, 4.5]])[rows]
    d = rt.distance(unit, rt.fit(unit, ridge=1e-6))
    assert np.isfinite(d).all()
    assert np.all(d < 3)
    far = rt.distance([[4.0, 3.0, 2.0, 1.0]], rt.fit(unit, ridge=1e-6))
    assert far[0] > 100
    assert np.isfinite(rt.distance(unit, rt.fit(unit), adjugate=True)).all()


def test_without_a_ridge_a_singular_v_is_refused() -> None:
    with pytest.raises(ValueError, match="singular"):
        rt.fit(np.ones((3, 4)), ridge=0)


@pytest.mark.parametrize(
    ("unit", "options", "message"),
    [
        (np.ones((2, 4)), {}, "at least 3 records, received 2"),
        (np.ones((1, 4)), {}, "at least 3 records, received 1"),
        (np.ones(4), {}, r"received \(4,\)"),
        (np.ones((5, 1)), {}, "k ≥ 2 items"),
        (np.zeros((5, 4)), {}, "mean pattern that is not zero"),
        (np.full((5, 4), np.nan), {}, "received 20 that are not"),
        (np.ones((5, 4)), {"ddof": 2}, "ddof 0 or 1, received 2"),
        (np.ones((5, 4)), {"ridge": -1.0}, "received -1.0"),
    ],
)
def test_refusals_say_expected_and_received(unit: np.ndarray, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rt.fit(unit, **options)


def test_items_that_do_not_match_are_refused(unit: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected x of shape \(n, 4\), received \(3, 3\)"):
        rt.distance(JUDGED[:, :3], rt.fit(unit))
