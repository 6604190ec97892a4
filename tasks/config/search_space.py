"""The search space of a sweep: settings, values and seeds, all checked before anything starts.

    fit.margin=0.2,0.4                  two values
    fit.learning_rate=1e-4..1e-2:log    a range on a logarithmic scale, for --random
    fit.learning_rate=1e-4..1e-2:log:5  five values of that range

Standard library alone, so that a mistyped setting is reported at once.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
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
MAX_TRIALS = 2000  # trainings of one sweep: more is a mistake
# Sections that change the evaluation or where it is done, not the training.
EVALUATION_SECTIONS = {"data", "split", "evaluate", "gate", "cost", "report", "engine"}
FIXED_SETTINGS = OPTIONS - {"preset"}
MAX_REPEATED_DRAWS = 200  # draws in a row that were drawn before: then there are no more
OPTIMISM_NOTE = (
    "Trials are evaluated on the validation part; calibration and test part are not read. The winner's metric is "
    "optimistic, because the winner was chosen by it: kensa retrain --settings best.toml trains it and evaluates it on "
    "the test part."
)


@dataclass(frozen=True)
class SearchAxis:
    """One setting of the search: its values as text, or the ends of a range from which `draw` draws."""

    key: str
    values: tuple[str, ...]
    draw: Callable[[random.Random], str] | None = None
    log: bool = False


@dataclass(frozen=True)
class Candidate:
    """One combination of values, as text by key, and the run with these values."""

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
    """A whole search. Raises BadSetting for whatever could not be trained, or not be compared."""

    run: RunConfig = section(RunConfig, "The source and the settings that all trials share")
    grid: tuple = setting((), "Settings to search and their values, such as fit.margin=0.2,0.4")
    seeds: int = setting(3, "Seeds per combination, counted up from the run's", 1, 1000)
    random: int | None = setting(None, "Number of random combinations; default: all of them", 1, MAX_TRIALS)
    figure: MetricName = setting("auroc", "Metric on the validation part that chooses the winner")
    workers: int = setting(2, "Trials at the same time, each in its own process; no effect on a Dask cluster", 1, 256)
    dask: str | None = setting(None, "Address of an existing Dask scheduler, such as tcp://10.0.0.5:8786")
    out: str = setting("artifacts/sweeps", "Folder of the sweeps")

    def __post_init__(self) -> None:
        """Raise BadSetting for the first mistake in any combination, too."""
        super().__post_init__()
        require_scheduler(self.dask, "--dask")
        self.trials()

    def axes(self) -> list[SearchAxis]:
        """The settings of the search."""
        axes = [parse_axis(word, self.run) for word in self.grid]
        if not axes:
            raise BadSetting("--grid: expected at least one setting to search, such as --grid fit.margin=0.2,0.4")
        keys = [axis.key for axis in axes]
        if repeated := next((key for key in keys if keys.count(key) > 1), None):
            raise BadSetting(f"--grid {repeated}: expected each setting once; name all its values there")
        return axes

    def candidates(self) -> list[Candidate]:
        """Every combination in order; of several that give the same run, the first."""
        axes, candidates = self.axes(), {}
        for values in _grid(axes) if self.random is None else _draw(axes, self.random, self.run.seed):
            config = _with(self.run, values)
            candidates.setdefault(digest_of(config.fingerprint_fields()), Candidate(values, config))
            if len(candidates) == self.random:
                break
        return list(candidates.values())

    def trials(self) -> list[Trial]:
        """Every candidate with every seed, seed by seed, so that a sweep that stops early has tried all candidates."""
        candidates = self.candidates()
        if len(candidates) * self.seeds > MAX_TRIALS:
            raise BadSetting(f"expected at most {MAX_TRIALS} trials, found {len(candidates)} × {self.seeds} seeds")
        seeds = range(self.run.seed, self.run.seed + self.seeds)
        return [
            Trial(number, f"{candidate.title} seed {seed}", replace(candidate.config, seed=seed))
            for seed in seeds
            for number, candidate in enumerate(candidates)
        ]


def parse_axis(word: str, run: RunConfig) -> SearchAxis:
    """`key=values` as an axis whose values all fit the setting; raises BadSetting."""
    key, equals, text = (part.strip() for part in word.partition("="))
    if not equals or not text:
        raise BadSetting(f"--grid {word}: expected key=values, such as --grid fit.margin=0.2,0.4")
    _require_searchable(key, run)
    axis = _range(key, text) if ".." in text else SearchAxis(key, tuple(value.strip() for value in text.split(",")))
    if "" in axis.values:
        raise BadSetting(f"--grid {word}: expected a value on each side of every comma; none is the preset's")
    if len(axis.values) > MAX_TRIALS:  # before each is checked
        raise BadSetting(
            f"--grid {key}: expected at most {MAX_TRIALS} values, found {len(axis.values)}; take fewer steps"
        )
    for value in axis.values:
        _with(run, {key: value})
    return axis


def _require_searchable(key: str, run: RunConfig) -> None:
    """Raise BadSetting for a setting by which trials would not differ, or not be comparable."""
    if key not in setting_fields():
        _with(run, {key: ""})  # raises: which settings there are
    if key == "seed":
        raise BadSetting("--grid seed: expected a number of seeds as --seeds N; the first is --set seed=…")
    excluded = EVALUATION_SECTIONS | FIXED_SETTINGS | {"seed"}
    if key.partition(".")[0] in excluded:
        searchable = ", ".join(name for name in setting_fields() if name.partition(".")[0] not in excluded)
        raise BadSetting(
            f"--grid {key}: trials would not be comparable, or would not differ; expected one of {searchable}"
        )


def _with(run: RunConfig, values: dict[str, str]) -> RunConfig:
    try:
        return apply_overrides(run, [f"{key}={text}" for key, text in values.items()])
    except BadSetting as error:
        raise BadSetting(str(error).replace("--set ", "--grid ", 1)) from None


def _range(key: str, text: str) -> SearchAxis:
    """`low..high[:log][:steps]`; without steps its values are the two ends, and `draw` draws between them."""
    ends, *rest = text.split(":")
    low_text, _, high_text = ends.partition("..")
    log = rest[:1] == ["log"]
    integer = int in types_of(key)
    try:
        low, high = (int(end) if integer else float(end) for end in (low_text, high_text))
        steps = [int(step) for step in rest[log:]]
    except ValueError:
        low, high, steps = math.nan, math.nan, []
    valid = math.isfinite(high - low) and low < high and (low > 0 or not log) and len(steps) < 2
    if not valid or not {int, float} & set(types_of(key)) or any(count < 2 for count in steps):
        kind = "whole numbers" if integer else "numbers"
        raise BadSetting(
            f"--grid {key}={text}: expected LOW..HIGH of {kind}, rising, then optionally :log (above 0) and :STEPS "
            "(2 or more), such as fit.learning_rate=1e-4..1e-2:log:5"
        )

    def value_at(share: float) -> str:
        value = low * (high / low) ** share if log else low + (high - low) * share
        return str(round(value)) if integer else f"{value:.4g}"

    if steps:
        values = dict.fromkeys(value_at(step / (steps[0] - 1)) for step in range(steps[0]))
        return SearchAxis(key, tuple(values), log=log)
    return SearchAxis(key, (low_text.strip(), high_text.strip()), draw=lambda rng: value_at(rng.random()), log=log)


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
    """Random combinations, the same for the same seed; a larger number begins with those of a smaller one.

    All of them, where there is no range and no more combinations than `count`.
    """
    if not any(axis.draw for axis in axes) and math.prod(len(axis.values) for axis in axes) <= count:
        yield from _grid(axes)
        return
    rng, seen, repeated = random.Random(seed), set(), 0  # noqa: S311  # no secret is drawn
    while repeated < MAX_REPEATED_DRAWS:
        values = tuple(axis.draw(rng) if axis.draw else rng.choice(axis.values) for axis in axes)
        repeated = repeated + 1 if values in seen else 0
        if not repeated:
            seen.add(values)
            yield dict(zip((axis.key for axis in axes), values, strict=True))
