"""What a sweep tries: its settings, values and seeds, all checked before anything starts.

    fit.margin=0.2,0.4              these values
    fit.learning_rate=1e-4..1e-2:log    a range, drawn from by a random search
    fit.learning_rate=1e-4..1e-2:log:5  the same in five steps, for a grid too

Standard library alone: a mistyped setting must not wait for any library to be told.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from tasks.config.fields import ValidatedConfig, require_scheduler, section, setting
from tasks.config.overrides import OPTIONS, apply_overrides, setting_fields, types_of
from tasks.config.run import RunConfig
from tasks.core.errors import BadSetting
from tasks.core.files import digest_of

MetricName = Literal[
    "auroc",
    "average_precision",
    "tpr_at_1_fpr",
    "tpr_at_5_fpr",
    "d_prime",
    "mode_accuracy",
    "macro_mode_accuracy",
    "good_auroc",
]  # more is better in all of them
MAX_TRIALS = 2000  # trainings of one sweep: more is a slip of the pen
EVALUATION_SETTINGS = (
    "data",
    "split",
    "evaluate",
    "gate",
    "cost",
    "report",
)  # sections that change the judgement, not the training
FIXED_SETTINGS = OPTIONS - {"preset"}
MAX_MISSED_DRAWS = 200  # draws in a row that were drawn before: then there are no more
OPTIMISM_NOTE = (
    "Trials are judged on the calibration part; the test part is not read. The figure of the winner is "
    "optimistic, for it was chosen by that very figure: kensa retrain --settings best.toml trains it and judges it "
    "on the test part."
)


@dataclass(frozen=True)
class SearchAxis:
    """One setting of the search: its values as text, or `draw`, which makes a value within a range."""

    key: str
    values: tuple[str, ...]
    draw: Callable[[random.Random], str] | None = None
    log: bool = False


@dataclass(frozen=True)
class Candidate:
    """One combination of values, as text by key, and the run that it stands for."""

    values: dict[str, str]
    config: RunConfig

    @property
    def title(self) -> str:
        """The values as run names show them."""
        return " ".join(f"{key.rpartition('.')[2]}={text}" for key, text in self.values.items())


@dataclass(frozen=True)
class Trial:
    """One training of a sweep: the candidate's number, and the run with the trial's own seed."""

    candidate: int
    title: str
    config: RunConfig


@dataclass(frozen=True)
class Sweep(ValidatedConfig):
    """A whole search. Raises BadSetting for anything that could not be trained, or not be compared."""

    run: RunConfig = section(RunConfig, "The source, and every setting that the search leaves alone")
    grid: tuple = field(default=(), metadata={"description": "Settings and values, such as fit.margin=0.2,0.4"})
    seeds: int = setting(3, "Seeds of each combination, counted up from the run's", 1, 1000)
    random: int | None = setting(None, "Combinations drawn at random; without it every one is tried", 1, MAX_TRIALS)
    figure: MetricName = setting("auroc", "The figure that chooses, on the calibration part")
    workers: int = setting(2, "Trials at once, each in a process of its own; without effect on a Dask cluster", 1, 256)
    dask: str | None = setting(None, "Address of an existing Dask scheduler, such as tcp://10.0.0.5:8786")
    out: str = setting("artifacts/sweeps", "Folder of the sweeps")

    def __post_init__(self) -> None:
        """Raise BadSetting for the first thing that is wrong, in whatever combination it stands."""
        super().__post_init__()
        require_scheduler(self.dask, "--dask")
        self.trials()

    def axes(self) -> list[SearchAxis]:
        """The settings of the search."""
        found = [parse_axis(word, self.run) for word in self.grid]
        if not found:
            raise BadSetting("--grid: expected at least one setting to search, such as --grid fit.margin=0.2,0.4")
        names = [axis.key for axis in found]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise BadSetting(f"--grid {twice}: expected each setting once; name all its values there")
        return found

    def candidates(self) -> list[Candidate]:
        """Every combination once, in order: those that come to the same run stand there as the first of them."""
        axes, found = self.axes(), {}
        for values in _grid(axes) if self.random is None else _draw(axes, self.random, self.run.seed):
            config = _with(self.run, values)
            found.setdefault(digest_of(config.fingerprint_fields()), Candidate(values, config))
            if len(found) == self.random:
                break
        return list(found.values())

    def trials(self) -> list[Trial]:
        """Every candidate with every seed, seed by seed: a sweep that is cut short has tried every candidate."""
        candidates = self.candidates()
        if len(candidates) * self.seeds > MAX_TRIALS:
            raise BadSetting(f"expected at most {MAX_TRIALS} trials, found {len(candidates)} × {self.seeds} seeds")
        seeds = range(self.run.seed, self.run.seed + self.seeds)
        return [
            Trial(number, f"{one.title} seed {seed}", replace(one.config, seed=seed))
            for seed in seeds
            for number, one in enumerate(candidates)
        ]


def parse_axis(word: str, run: RunConfig) -> SearchAxis:
    """`key=values` as an axis whose values all fit the setting; BadSetting tells what does not."""
    key, equals, text = (part.strip() for part in word.partition("="))
    if not equals or not text:
        raise BadSetting(f"--grid {word}: expected key=values, such as --grid fit.margin=0.2,0.4")
    _require_searchable(key, run)
    axis = _range(key, text) if ".." in text else SearchAxis(key, tuple(value.strip() for value in text.split(",")))
    if "" in axis.values:
        raise BadSetting(f"--grid {word}: expected a value on each side of every comma; none is the preset's")
    if len(axis.values) > MAX_TRIALS:  # before each is looked at, which takes minutes of so many
        raise BadSetting(
            f"--grid {key}: expected at most {MAX_TRIALS} values, found {len(axis.values)}; take fewer steps"
        )
    for value in axis.values:
        _with(run, {key: value})
    return axis


def _require_searchable(key: str, run: RunConfig) -> None:
    if key not in setting_fields():
        _with(run, {key: ""})  # says which are known
    if key == "seed":
        raise BadSetting("--grid seed: expected a number of seeds as --seeds N; the first is --set seed=…")
    if key in FIXED_SETTINGS or key.partition(".")[0] in EVALUATION_SETTINGS:
        known = ", ".join(
            name
            for name in setting_fields()
            if name.partition(".")[0] not in {*EVALUATION_SETTINGS, *FIXED_SETTINGS, "seed"}
        )
        raise BadSetting(
            f"--grid {key}: trials would not be judged alike, or not differ at all; expected one of {known}"
        )


def _with(run: RunConfig, values: dict[str, str]) -> RunConfig:
    try:
        return apply_overrides(run, [f"{key}={text}" for key, text in values.items()])
    except BadSetting as error:
        raise BadSetting(str(error).replace("--set ", "--grid ", 1)) from None


def _range(key: str, text: str) -> SearchAxis:
    """`low..high`, `low..high:log`, and either with `:steps`; the ends are its values where it has no steps."""
    ends, *rest = text.split(":")
    low_text, _, high_text = ends.partition("..")
    log = rest[:1] == ["log"]
    steps = rest[log:]
    whole = int in types_of(key)
    try:
        low, high = (int(end) if whole else float(end) for end in (low_text, high_text))
        count = [int(step) for step in steps]
    except ValueError:
        low, high, count = math.nan, math.nan, []
    sound = math.isfinite(high - low) and low < high and (low > 0 or not log) and len(count) < 2
    if not sound or not {int, float} & types_of(key) or any(step < 2 for step in count):
        kind = "whole numbers" if whole else "numbers"
        raise BadSetting(
            f"--grid {key}={text}: expected LOW..HIGH of {kind}, rising, then at will :log (above 0) and :STEPS "
            "(2 or more), such as fit.learning_rate=1e-4..1e-2:log:5"
        )

    def at(share: float) -> str:
        value = low * (high / low) ** share if log else low + (high - low) * share
        return str(round(value)) if whole else f"{value:.4g}"

    if count:
        stepped = dict.fromkeys(at(step / (count[0] - 1)) for step in range(count[0]))
        return SearchAxis(key, tuple(stepped), log=log)
    return SearchAxis(key, (low_text.strip(), high_text.strip()), draw=lambda dice: at(dice.random()), log=log)


def _grid(axes: list[SearchAxis]) -> Iterator[dict[str, str]]:
    """Every combination of the axes' values."""
    if ranged := next((axis for axis in axes if axis.draw), None):
        low, high = ranged.values
        raise BadSetting(
            f"--grid {ranged.key}={low}..{high}: expected a number of steps, such as {ranged.key}={low}..{high}:5, "
            "or --random N, which draws from the range"
        )
    if (size := math.prod(len(axis.values) for axis in axes)) > MAX_TRIALS:
        raise BadSetting(
            f"--grid: expected at most {MAX_TRIALS} combinations, found {size}; draw from them with --random N"
        )
    for values in itertools.product(*(axis.values for axis in axes)):
        yield dict(zip((axis.key for axis in axes), values, strict=True))


def _draw(axes: list[SearchAxis], count: int, seed: int) -> Iterator[dict[str, str]]:
    """Combinations at random, the same for the same seed; more draws begin with the fewer.

    Where no range is among the axes and all combinations are asked for, that is every one of them.
    """
    if not any(axis.draw for axis in axes) and math.prod(len(axis.values) for axis in axes) <= count:
        yield from _grid(axes)
        return
    dice, seen, missed = random.Random(seed), set(), 0  # noqa: S311  # no secret is drawn
    while missed < MAX_MISSED_DRAWS:
        values = tuple(axis.draw(dice) if axis.draw else dice.choice(axis.values) for axis in axes)
        missed = missed + 1 if values in seen else 0
        if not missed:
            seen.add(values)
            yield dict(zip((axis.key for axis in axes), values, strict=True))
