"""What a tower does to a raw map first, learnt from training records: their scale, and what zero means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SAMPLE = 4096  # maps from which it is learnt
LEAST = 1e-6  # under the root, whose slope at zero is infinite


@dataclass(frozen=True)
class Scaling:
    """x → (√(max(x, 0)/top + 10⁻⁶) − centre) / spread, without the root where top is None.

    `sparse` says that maps are empty but for a few cells: zero then means "nothing here".
    """

    top: float | None
    centre: float
    spread: float
    sparse: bool


def learnt(maps: np.ndarray, kind: str) -> Scaling:
    """The scaling of maps (n, values): `standard`, `root`, or `auto`: a root where no value is negative.

    The root spreads the many small values and calms the few large ones. Maps get deviation 1 and are
    centred, but for sparse ones (mean below deviation), whose zero must stay one: a convolution reads
    zeros beyond the edge, too.
    """
    sample = np.asarray(maps[:: max(1, -(-len(maps) // SAMPLE))], np.float64)
    rooted = kind == "root" or (kind == "auto" and sample.min() >= 0)
    top = (float(np.quantile(sample, 0.99)) or 1.0) if rooted else None
    if top is not None:
        sample = np.sqrt(np.maximum(sample, 0) / top + LEAST)
    mean, spread = float(sample.mean()), float(sample.std())
    sparse = rooted and mean < spread
    return Scaling(top, 0.0 if sparse else mean, spread or 1.0, sparse)
