"""How often `kensa drift` alarms over a year, and how soon it finds a drift: `python -m bench.accuracy.drift_alarms`.

A line of three modes, with a reference of 600 records from ten lots, is compared every day: by the reference alone (the
rule of a first day, which was the rule of every day), and with its own earlier days. Both are the project's functions.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np

from tasks.core.inspection import DriftStatus
from tasks.data.map_statistics import RunningMoments
from tasks.monitoring import control_charts
from tasks.monitoring.drift_tests import compare_with_reference
from tasks.monitoring.reference import NewParts, Reference

MODES, CELLS, REFERENCE_RECORDS, REFERENCE_LOTS = ["a", "b", "c"], (5, 6), 600, 10
BATCHES, SHIFTS = (20, 100, 1000), (0.5, 1.0, 2.0)
START, WINDOW = 30, 60  # days before a drift, and days in which it is looked for
YEAR, MEMORYLESS_DAYS = 365, 60  # days that are simulated; a rule without memory needs fewer
MIN_RECORDS = 50  # of a comparison before there were days
SIMULATED_CHARTS = 2000


@dataclass(frozen=True)
class Line:
    """A line: records a day, correlation of the records of a lot (a day is a lot), and whether lots are named."""

    batch: int
    correlation: float
    named: bool


class Parts:
    """Draws what a release predicts on parts; all values have deviation 1 within a lot."""

    def __init__(self, line: Line, rng: np.random.Generator) -> None:
        self.line, self.rng = line, rng
        self.between = np.sqrt(line.correlation / (1 - line.correlation))

    def reference(self) -> Reference:
        """The reference of the line's release."""
        lots = np.arange(REFERENCE_RECORDS) % REFERENCE_LOTS
        columns, maps = self._draw(lots, 0.0)
        names = np.array([f"L{lot}" if self.line.named else "" for lot in lots])
        return Reference(**columns, lot=names, maps=maps, map_lot=names)

    def day(self, shift: float) -> NewParts:
        """The parts of a day; shift: of level and shape of the first mode."""
        columns, maps = self._draw(np.zeros(self.line.batch, int), shift)
        moments = RunningMoments(maps.shape[1])
        moments.update(maps)
        return NewParts(**columns, lot=np.zeros(self.line.batch, int), maps=moments.result())

    def _draw(self, lots: np.ndarray, shift: float) -> tuple[dict[str, np.ndarray], np.ndarray]:
        n, mode = len(lots), self.rng.integers(len(MODES), size=len(lots))
        level, shape, score = (self._values(lots, mode) for _ in range(3))
        moved = shift * (mode == 0)
        common = 0.5 * self._values(lots, 0 * mode)[:, None]
        cells = CELLS[0] * CELLS[1]
        of_lots = self.between * self.rng.normal(size=(lots.max() + 1, cells))[lots]
        maps = common + of_lots + self.rng.normal(size=(n, cells))
        verdicts = np.array([n, 0, 0])
        columns = {"mode": mode, "beta": level + moved, "sqrt_ve": shape + moved, "score": score}
        return {**columns, "good": np.ones(n, bool), "verdicts": verdicts}, maps

    def _values(self, lots: np.ndarray, mode: np.ndarray) -> np.ndarray:
        of_lots = self.between * self.rng.normal(size=(lots.max() + 1, len(MODES)))[lots, mode]
        return of_lots + self.rng.normal(size=len(lots))


def statuses(line: Line, days: int, shift: float, seed: int, with_days: bool) -> list[DriftStatus]:
    """The verdict of each day; from day START on level and shape of a mode are shifted, until that is found."""
    parts = Parts(line, np.random.default_rng(seed))
    reference, history, verdicts = parts.reference(), None, []
    for day in range(days):
        control_charts.SIMULATED_CHARTS = (
            1 if with_days and day else SIMULATED_CHARTS
        )  # the charts of day 1 alone judge
        new = parts.day(shift if day >= START else 0.0)
        verdict = compare_with_reference(reference, new, MODES, CELLS, history)
        history = verdict.history if with_days else None
        verdicts.append(verdict.status)
        if shift and day >= START and verdict.status == "drifted":
            break
    return verdicts


def alarms(verdicts: list[DriftStatus]) -> tuple[int, int]:
    """How often an alarm begins, and how many days have one."""
    alarm = np.array(verdicts) == "drifted"
    return int((alarm & ~np.concatenate([[False], alarm[:-1]])).sum()), int(alarm.sum())


def delay(verdicts: list[DriftStatus]) -> float:
    """Days until the first alarm of a drift, 1 for its first day; infinite where none came."""
    return next((day + 1.0 for day, status in enumerate(verdicts[START:]) if status == "drifted"), np.inf)


def row(line: Line, with_days: bool, lines: int) -> str:
    """A line of the table: alarms of a year without drift, and the median of days until a drift is found."""
    days = YEAR if with_days else MEMORYLESS_DAYS
    counts = np.array([alarms(statuses(line, days, 0.0, seed, with_days)) for seed in range(lines)])
    cells = [f"{value:.1f}" for value in counts.mean(axis=0) * YEAR / days]
    cells.append(f"{(counts[:, 0] > 0).sum()} of {lines}" if with_days else "–")
    for shift in SHIFTS:
        delays = [delay(statuses(line, START + WINDOW, shift, 1000 + seed, with_days)) for seed in range(lines)]
        median = np.quantile(delays, 0.5, method="inverted_cdf")
        cells.append(f"> {WINDOW}" if np.isinf(median) else f"{median:.0f}")
    lots = "named" if line.named else "not named"
    rule = "own days" if with_days else "reference alone"
    return f"| {line.batch} | {line.correlation:g} | {lots} | {rule} | {' | '.join(cells)} |"


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=12, help="lines simulated for each row")
    lines = parser.parse_args().lines
    shifts = " | ".join(f"days to {shift:g} SD" for shift in SHIFTS)
    print(f"| parts a day | correlation | lots | rule | alarms a year | days in alarm | years with any | {shifts} |")
    print("| ---: | ---: | --- | --- | ---: | ---: | ---: |" + " ---: |" * len(SHIFTS))
    for correlation, named in ((0.0, False), (0.3, False), (0.3, True)):
        for batch in BATCHES:
            for with_days in (False, True):
                if with_days or batch >= MIN_RECORDS:
                    print(row(Line(batch, correlation, named), with_days, lines), flush=True)


if __name__ == "__main__":
    main()
