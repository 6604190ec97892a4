"""Taguchi's Recognition-Taguchi method (RT, "T method 3") in numpy.

A pattern x of k items is reduced to two coordinates against the mean pattern m of a unit space:
Y1 = β = Σmx / r ("the level changed") and Y2 = √V_e ("the shape changed"), with r = Σm². The RT
distance is D = √(½ (Y−Ȳ)ᵀ V⁻¹ (Y−Ȳ)), with Ȳ and V the mean and covariance of Y over the unit space.

Everything works on many unit spaces at once: axes between the first (records) and the last (items) stay, so that
(n, k) is one unit space and (n, windows, k) is one for each window.

Source: Teshima, Hasegawa, Tatebayashi, *Quality Recognition and Prediction* (2012), the recognition method.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

MIN_RECORDS = 3  # one record gives V = 0, two a singular V
RIDGE = 1e-12  # a standard deviation of a millionth of the pattern's level: V is regular, also where records are equal


@dataclass(frozen=True)
class UnitSpace:
    """The parameters of a unit space of n records × k items; `...` are several unit spaces at once.

    `m` (..., k) mean pattern in the items' unit; `r` (...) effective divisor Σm²; `mean_y` (..., 2)
    and `V` (..., 2, 2) mean and covariance of (β, √V_e), without the ridge; `precision` (..., 2, 2)
    inverse of V with the ridge; `n` records; V's divisor is n − `ddof`.
    """

    m: Floats
    r: Floats
    mean_y: Floats
    V: Floats
    precision: Floats
    n: int
    ddof: int


def fit(unit: ArrayLike, ddof: int = 0, ridge: ArrayLike = RIDGE) -> UnitSpace:
    """The unit space of the normal records `unit` (n, ..., k), n ≥ 3, k ≥ 2; float64 inside.

    `ddof` 0 makes the mean of D² over the unit space exactly 1 (up to the ridge), 1 gives the
    unbiased V. `ridge` (a number, or one for each unit space) is a share without unit: it adds
    ridge·(V + diag(1, r/(k−1))) to V's diagonal, a minimum standard deviation of √ridge of the pattern's level;
    choose it larger for few or nearly equal records.
    Raises ValueError for too few records or items, values that are not finite, a zero mean pattern.
    """
    unit = np.asarray(unit, dtype=np.float64)
    _check_unit(unit, ddof)
    m = unit.mean(axis=0)
    r = np.einsum("...k,...k->...", m, m)
    if not np.all(r > 0):
        raise ValueError("expected a mean pattern that is not zero, received one: β = Σmx / Σm² has no meaning")
    y = coordinates(unit, m)
    mean_y = y.mean(axis=0)
    centred = y - mean_y
    V = np.einsum("n...i,n...j->...ij", centred, centred) / (len(unit) - ddof)
    return UnitSpace(m, r, mean_y, V, _inverse(_ridged(V, r / (unit.shape[-1] - 1), ridge)), len(unit), ddof)


def coordinates(x: ArrayLike, m: ArrayLike) -> Floats:
    """RT's (β, √V_e) of `x` (n, ..., k) against the mean pattern `m` (..., k), as (n, ..., 2).

    β has no unit, √V_e has that of the items. S_e is the sum of squares of x − βm: the textbook's
    S_T − L²/r loses all digits where x is nearly parallel to m, and can go below zero there.
    Raises ValueError where the items of `x` and `m` do not match.
    """
    x, m = np.asarray(x, dtype=np.float64), np.asarray(m, dtype=np.float64)
    if x.shape[1:] != m.shape:
        raise ValueError(f"expected x of shape (n, {', '.join(map(str, m.shape))}), received {x.shape}")
    beta = np.einsum("n...k,...k->n...", x, m) / np.einsum("...k,...k->...", m, m)
    residual = x - beta[..., None] * m
    error_variance = np.einsum("n...k,n...k->n...", residual, residual) / (m.shape[-1] - 1)
    return np.stack([beta, np.sqrt(error_variance)], axis=-1)


def distance(x: ArrayLike, unit: UnitSpace, adjugate: bool = False) -> Floats:
    """The RT distance D (no unit, ≥ 0) of `x` (n, ..., k) from `unit`, as (n, ...).

    `adjugate` takes V's cofactor form det(V)·V⁻¹ instead of V⁻¹: it needs no ridge and exists for a
    singular V, but its distances cannot be compared between unit spaces.
    Raises ValueError where the items of `x` do not match the unit space.
    """
    y = coordinates(x, unit.m) - unit.mean_y
    weight = _adjugate(unit.V) if adjugate else unit.precision
    squared = 0.5 * np.einsum("n...i,...ij,n...j->n...", y, weight, y)
    return np.sqrt(np.maximum(squared, 0))  # a singular V can give −1e-20


def _check_unit(unit: Floats, ddof: int) -> None:
    if unit.ndim < 2 or unit.shape[-1] < 2:
        raise ValueError(f"expected a unit space of shape (n, ..., k) with k ≥ 2 items, received {unit.shape}")
    if len(unit) < MIN_RECORDS:
        raise ValueError(f"expected a unit space of at least {MIN_RECORDS} records, received {len(unit)}")
    if ddof not in (0, 1):
        raise ValueError(f"expected ddof 0 or 1, received {ddof}")
    if not np.isfinite(unit).all():
        raise ValueError(f"expected finite values, received {np.count_nonzero(~np.isfinite(unit))} that are not")


def _ridged(V: Floats, level: Floats, ridge: ArrayLike) -> Floats:
    """V (..., 2, 2) with its ridge; `level` (...) is r/(k−1), what √V_e² of a whole pattern would be."""
    ridge = np.asarray(ridge, dtype=np.float64)
    if not np.all(ridge >= 0):
        raise ValueError(f"expected a ridge of at least 0, received {ridge.min()}")
    ridged = V.copy()
    ridged[..., 0, 0] += ridge * (V[..., 0, 0] + 1)
    ridged[..., 1, 1] += ridge * (V[..., 1, 1] + level)
    return ridged


def _inverse(V: Floats) -> Floats:
    determinant = V[..., 0, 0] * V[..., 1, 1] - V[..., 0, 1] ** 2
    if not np.all(determinant > 0):
        raise ValueError("expected a regular V, received a singular one (equal records?): give a ridge above 0")
    return _adjugate(V) / determinant[..., None, None]


def _adjugate(V: Floats) -> Floats:
    """The cofactor matrix of a symmetric V (..., 2, 2)."""
    return np.stack(
        [np.stack([V[..., 1, 1], -V[..., 0, 1]], axis=-1), np.stack([-V[..., 0, 1], V[..., 0, 0]], axis=-1)], axis=-2
    )
