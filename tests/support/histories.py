"""The history of a line that never was: models with figures, champions, decisions and observations."""

from __future__ import annotations

from typing import Any

from tasks.registry.journal import Entry
from tasks.registry.observations import Observation
from tasks.report.history import LineHistory, Measured, Model, Reign

DRIFTS = ("steady", "watch", "drifted")


def measured(value: float, half: float) -> Measured:
    """A value in the middle of its interval."""
    return Measured(value, (value - half, value + half))


def model(number: int, **changes: Any) -> Model:
    """The number-th model, a release by default; later ones are better."""
    return Model(
        **{
            "name": f"v{number}",
            "status": "released",
            "created": f"2026-01-{number:02}T08:00:00+00:00",
            "source": "acme/boards",
            "revision": "c0ffee" * 6,
            "records": 1000 + number,
            "frozen": "f1" if number < 6 else "f2",
            "auroc": measured(0.85 + number / 150, 0.025),
            "escapes": measured(0.2 - number / 100, 0.04),
            "false_alarms": measured(0.05, 0.015),
            "against": f"v{number - 1}" if number > 1 else None,
            "difference": measured(0.02, 0.01) if number > 1 else Measured(),
        }
        | changes
    )


def observation(kind: str, number: int, **facts: Any) -> Observation:
    """A look at the number-th model."""
    origin = {"release": f"v{number}", "fingerprint": "f" * 16, "source": "monday.csv", "revision": "beef" * 10}
    return Observation(kind=kind, when=f"2026-02-{number:02}T09:00:00.000+00:00", facts=facts, **origin)


def rates(number: int) -> Observation:
    """Labels that came later."""
    alarms = {"rate": 0.07, "count": 7, "of": 100, "interval": [0.034, 0.137]}
    escapes = {"rate": 0.15, "count": 6, "of": 40, "interval": [0.071, 0.292]}
    return observation("labels", number, false_alarms=alarms, escapes=escapes)


def line_of(count: int, **changes: Any) -> LineHistory:
    """`count` models: one of five was rejected, the others became champion; some have labels and drift."""
    rejected = {"status": "rejected", "difference": measured(0.002, 0.01)}
    models = []
    for number in range(1, count + 1):
        last = {"labelled": rates(number)} if number % 4 == 0 else {}
        drift = {"drift": observation("drift", number, status=DRIFTS[number % 3], records=300)}
        models.append(model(number, **(rejected | {"name": f"{number:08x}"} if number % 5 == 3 else last | drift)))
    starts = [i for i, entry in enumerate(models) if entry.status == "released"]
    ends = [*starts[1:], count - 0.5]
    reigns = tuple(
        Reign(models[i].name, models[i].created, float(i), float(end)) for i, end in zip(starts, ends, strict=True)
    )
    why = "false alarms on lot 7"
    back = Entry(
        event="rolled back", subject="v4", key="a", when="2026-01-09T08:00:00.000+00:00", by="M. Sato", why=why
    )
    seen = tuple(entry for one in models for entry in (one.labelled, one.drift) if entry)
    newest = reigns[-1]
    moved = Entry(event="promoted", subject=newest.name, key="b", when=newest.since, by="line", why="by the gate")
    values = {"figure": "good_auroc", "models": tuple(models), "reigns": reigns, "champion": newest.name}
    values |= {"moved": moved, "waiting": None, "decisions": (back,), "observations": seen}
    return LineHistory(**values | changes)
