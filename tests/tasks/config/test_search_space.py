"""The words of a search: what they try, and how every mistake is told before anything starts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tasks.config.model import TrainingConfig
from tasks.config.run import EvaluateConfig, RunConfig
from tasks.config.search_space import Sweep
from tasks.core.errors import BadSetting

RATE = "fit.learning_rate"


def combinations(*grid, **options):
    return [candidate.values for candidate in Sweep(grid=grid, **options).candidates()]


def values_of(word, **options):
    return [next(iter(values.values())) for values in combinations(word, **options)]


def test_a_grid_is_every_combination_in_order():
    values = combinations("fit.margin=0.2, 0.4", f"{RATE}=1e-3,3e-3")
    assert [tuple(chosen.values()) for chosen in values] == [
        ("0.2", "1e-3"),
        ("0.2", "3e-3"),
        ("0.4", "1e-3"),
        ("0.4", "3e-3"),
    ]


def test_every_candidate_is_tried_before_the_next_seed():
    sweep = Sweep(run=RunConfig(seed=7), grid=("fit.margin=0.2,0.3",), seeds=2)
    trials = [(trial.candidate, trial.config.seed, trial.config.fit.margin) for trial in sweep.trials()]
    assert trials == [(0, 7, 0.2), (1, 7, 0.3), (0, 8, 0.2), (1, 8, 0.3)]
    assert sweep.trials()[3].title == "margin=0.3 seed 8"


def test_a_trial_keeps_what_the_search_leaves_alone():
    run = RunConfig(fit=TrainingConfig(epochs=3), evaluate=EvaluateConfig(target=0.1))
    (trial,) = Sweep(run=run, grid=("fit.margin=1",), seeds=1).trials()
    assert trial.config == replace(run, fit=TrainingConfig(epochs=3, margin=1.0))


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (f"{RATE}=1e-4..1e-2:log:3", ["0.0001", "0.001", "0.01"]),
        ("fit.margin=0..1:5", ["0", "0.25", "0.5", "0.75", "1"]),
        ("fit.epochs=1..3:5", ["1", "2", "3"]),  # whole numbers, each once: 1, 1.5, 2, 2.5, 3
        ("fit.batch=8..128:log:5", ["8", "16", "32", "64", "128"]),
        ("tower.widths=64-8,32-8", ["64-8", "32-8"]),
        ("triplets.replace_crossing=true,false", ["true", "false"]),
        ("fit.margin=0.4,0.40,none,0.5", ["0.4", "0.5"]),  # the preset's margin is 0.4
    ],
)
def test_values_of_an_axis(word, expected):
    assert values_of(word) == expected


@pytest.mark.parametrize("word", ["fit.margin=0.1..10:log", "fit.margin=0.1..10", "fit.epochs=5..50"])
def test_a_range_is_drawn_from_within(word):
    drawn = [float(value) for value in values_of(word, random=20)]
    low, high = (float(end) for end in word.partition("=")[2].removesuffix(":log").split(".."))
    assert len(set(drawn)) == 20
    assert all(low <= value <= high for value in drawn)
    middle = (low * high) ** 0.5 if "log" in word else (low + high) / 2
    assert 4 <= sum(value < middle for value in drawn) <= 16, "on both sides of the scale's middle"


def test_draws_are_the_same_for_the_same_seed_and_begin_with_the_fewer():
    words = ("fit.margin=0.1..1", "fit.batch=16,32,64")
    few, many = combinations(*words, random=4), combinations(*words, random=9)
    assert (len(few), many[:4]) == (4, few)
    assert combinations(*words, random=4, run=RunConfig(seed=1)) != few


def test_no_more_is_drawn_than_there_is():
    words = ("fit.margin=0.1,0.2", "fit.batch=16,32")
    assert combinations(*words, random=4) == combinations(*words, random=50) == combinations(*words)
    assert len({tuple(values.items()) for values in combinations(*words, random=3)}) == 3
    assert sorted(values_of("fit.epochs=1..3", random=10)) == ["1", "2", "3"]


def test_a_preset_can_be_searched():
    assert combinations("preset=notebook") == [{"preset": "notebook"}]


@pytest.mark.parametrize(
    ("grid", "options", "text"),
    [
        ((), {}, "--grid: expected at least one setting"),
        (("fit.margin",), {}, "--grid fit.margin: expected key=values, such as"),
        (("fit.margin=",), {}, "expected key=values"),
        (("fit.margin=1,",), {}, "expected a value on each side of every comma"),
        (("fit.margni=1",), {}, "--grid fit.margni: unknown setting; did you mean fit.margin"),
        (("fit.margni=1..2",), {}, "--grid fit.margni: unknown setting; did you mean fit.margin"),
        (("fit.margin=1,x",), {}, "--grid fit.margin=x: margin: expected float or none, found 'x'"),
        (("fit.margin=-1..1:3",), {}, "--grid fit.margin=-1: margin: expected at least 0"),
        (("fit.margin=1", "fit.margin=2"), {}, "--grid fit.margin: expected each setting once"),
        (("fit.margin=1..2",), {}, "expected a number of steps, such as fit.margin=1..2:5, or --random N"),
        (("fit.margin=2..1:3",), {}, "expected LOW..HIGH of numbers, rising"),
        (("fit.margin=0..1:log:3",), {}, ":log (above 0)"),
        (("fit.margin=1..2:1",), {}, ":STEPS (2 or more)"),
        (("fit.margin=1..2:3:4",), {}, "expected LOW..HIGH"),
        (("fit.margin=1..inf:3",), {}, "expected LOW..HIGH"),
        (("fit.distance=a..b",), {}, "expected LOW..HIGH of numbers"),
        (("fit.epochs=1.5..3:2",), {}, "expected LOW..HIGH of whole numbers"),
        (("seed=1,2",), {}, "expected a number of seeds as --seeds N"),
        (
            ("split.test=0.1,0.2",),
            {},
            "not be comparable, or would not differ; expected one of preset,",
        ),
        (("evaluate.target=0.1,0.2",), {}, "or would not differ"),
        (("train=a,b",), {}, "or would not differ"),
        (("fit.batch=1..60000:60000",), {}, "expected at most 2000 values, found 60000"),
        (("fit.batch=1..50:50", "fit.epochs=1..41:41"), {}, "expected at most 2000 combinations, found 2050"),
        (("fit.batch=1..51:51",), {"seeds": 40}, "expected at most 2000 trials, found 51 × 40 seeds"),
        (("fit.margin=1",), {"seeds": 0}, "seeds: expected at least 1"),
        (("fit.margin=1",), {"random": 0}, "random: expected at least 1"),
        (("fit.margin=1",), {"figure": "loss"}, "figure: expected 'auroc' or "),
        (("fit.margin=1",), {"dask": "localhost"}, "--dask localhost: expected a scheduler's address such as tcp://"),
        (("fit.margin=1",), {"dask": "file://x:1"}, "expected a scheduler's address"),
    ],
)
def test_mistakes_are_told_in_one_line(grid, options, text):
    with pytest.raises(BadSetting) as error:
        Sweep(grid=grid, **options)
    assert text in str(error.value)
    assert "\n" not in str(error.value)
    assert "--set" not in str(error.value).replace("--set seed", "")
