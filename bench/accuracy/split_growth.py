"""What `split.fixed` gains and costs as lots are added, by simulation: `python -m bench.accuracy.split_growth`.

Lots of 100 records of ten modes are split with the default shares, and again with one lot more.
"""

from __future__ import annotations

import numpy as np

from tasks.config.run import SplitConfig
from tasks.data.split import PARTS, split_units

SEEDS, EACH, MODES = 500, 100, 10
LOTS = (5, 12, 30, 100)
MIN_LOTS = 3  # calibration lots from which a threshold is for new lots


def parts_of(lots: int, seed: int, fixed: bool) -> np.ndarray:
    """The part of each lot (lots,)."""
    units, modes = np.repeat(np.arange(lots), EACH), np.tile(np.arange(MODES), lots * EACH // MODES)
    shares = [getattr(SplitConfig(), part) for part in PARTS]
    return split_units(np.char.add("lot-", units.astype(str)), modes, shares, seed, fixed)[::EACH]


def line(lots: int, fixed: bool) -> str:
    """A line of the table: what moves with one lot more, and how the parts' sizes vary over seeds."""
    before, after = (np.array([parts_of(count, seed, fixed) for seed in range(SEEDS)]) for count in (lots, lots + 1))
    moved = before != after[:, :lots]
    crossed = (before != 3) & (after[:, :lots] == 3)  # trained, stopped or calibrated on, and test records now
    train, calibrate, test = ((before == part).sum(axis=1) for part in (0, 2, 3))
    low, high = np.quantile(train / lots, (0.05, 0.95))
    cells = [moved.any(axis=1).mean(), moved.mean(), crossed.any(axis=1).mean()]
    cells += [(calibrate < MIN_LOTS).mean(), (test < MIN_LOTS).mean()]
    numbers = " | ".join(f"{value:.3f}" for value in cells)
    return f"| {lots} → {lots + 1} | {'true' if fixed else 'false'} | {numbers} | {low:.2f} to {high:.2f} |"


def main() -> None:
    """Print the table as Markdown."""
    print(
        "| lots | `split.fixed` | some lot moves | share of records that move | a used lot becomes a test lot "
        "| fewer than 3 calibration lots | fewer than 3 test lots | share trained on, 90 % of seeds |"
    )
    print("| --- | --- |" + " ---: |" * 6)
    for lots in LOTS:
        for fixed in (False, True):
            print(line(lots, fixed), flush=True)


if __name__ == "__main__":
    main()
