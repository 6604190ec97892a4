"""The picture of a sweep suits the search: a heat map, a panel for each setting, or seeds."""

from __future__ import annotations

import pytest
from support.sweeps import RUN, by_margin, ended

from tasks.config.search_space import Sweep
from tasks.evaluation.ranking import rank
from tasks.report.sweep_chart import sweep_chart


def drawn(figure_of=by_margin, **options):
    plan = Sweep(run=RUN, **options)
    ranking = rank(plan.candidates(), ended(plan, figure_of), plan.figure, 0.95)
    return sweep_chart(ranking, plan.axes(), plan.figure)


@pytest.mark.parametrize(
    ("grid", "draws", "shows"),
    [
        (("fit.margin=0.2,0.6",), None, ["interval", "one seed", "chosen"]),
        (("fit.margin=0.2,0.6", "fit.distance=euclidean,cosine"), None, ["0.901", "0.861", "euclidean"]),
        (("fit.margin=0.2,0.6", "fit.distance=euclidean"), None, ["one seed"]),  # one value is no axis
        (("fit.margin=0.2..1", "fit.learning_rate=1e-4..1e-2:log"), 9, ["one combination, mean over seeds"]),
        (("fit.margin=0.2,0.6", "fit.batch=8,16", "fit.epochs=1,2"), None, ["fit.batch", "fit.epochs", "mean"]),
        (("fit.margin=0.2,9", "fit.batch=8,16"), None, ["one seed"]),  # all of margin 9 failed: one axis is left
    ],
)
def test_the_picture_suits_the_search(grid, draws, shows):
    picture = drawn(grid=grid, random=draws, seeds=2)
    again = drawn(grid=grid, random=draws, seeds=2)
    assert picture.content == again.content
    text = picture.content.decode()
    for words in shows:
        assert f"<!-- {words} -->" in text, words
    assert "best mean 0.9005" in picture.alt or draws


def test_a_failed_cell_says_so():
    dead = drawn(
        lambda c: None if (c.fit.margin, c.fit.batch) == (0.6, 16) else 0.9,
        grid=("fit.margin=0.2,0.6", "fit.batch=8,16"),
    )
    assert "<!-- failed -->" in dead.content.decode()
