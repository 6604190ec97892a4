"""The records worth showing: the same whatever the batches, few, and the right ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare

from tasks.registry.loading import load_release
from tasks.scoring.examples import ExampleCollector
from tasks.scoring.verdicts import predict


@pytest.fixture(scope="module")
def opened(small_line):
    return load_release(small_line.artifacts_path)


@pytest.fixture(scope="module")
def judged(opened, hidden):
    maps = hidden(each=100, seed=5).maps
    return maps, predict(opened, maps)


def rows(opened, judged, batch, most=6, seed=42):
    maps, found = judged
    shown = ExampleCollector(opened, most, seed)
    for start in range(0, len(maps), batch):
        part = slice(start, start + batch)
        some = type(found)(*(getattr(found, name)[part] for name in found.__dataclass_fields__))
        texts = [str(row) for row in range(start, start + len(maps[part]))]
        shown.take(start, maps[part], some, texts, texts, [None] * len(texts))
    cases = shown.cases()
    for kind in cases.values():
        for case in kind:
            assert case.label == str(case.row)
            np.testing.assert_array_equal(case.map, maps[case.row])
            assert case.score == pytest.approx(found.score[case.row])
    return {name: [case.row for case in kind] for name, kind in cases.items()}


def test_the_batches_do_not_matter(opened, judged):
    whole = rows(opened, judged, 300)
    assert rows(opened, judged, 7) == whole
    assert rows(opened, judged, 1) == whole


def test_the_worst_and_the_most_uncertain_are_those(opened, judged):
    _, found = judged
    chosen = rows(opened, judged, 64)
    assert chosen["worst"] == np.argsort(-found.score, kind="stable")[:6].tolist()
    assert chosen["uncertain"] == np.argsort(np.abs(found.margin), kind="stable")[:6].tolist()


def test_the_sample_is_fair_and_of_the_seed(opened, judged):
    """Over many seeds every record is drawn equally often but for chance: 400 × 6 draws of 300 records are 8 each."""
    counts = np.zeros(300)
    for seed in range(400):
        counts[rows(opened, judged, 300, seed=seed)["random"]] += 1
    assert chisquare(counts).pvalue > 0.001
