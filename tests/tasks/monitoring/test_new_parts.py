"""What drift keeps of new parts: every record's numbers in order, and the moments of good maps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from support.scored_parts import scored_batches

from tasks.monitoring.new_parts import NewPartsCollector
from tasks.scoring.verdicts import VERDICTS, predict


def test_records_are_kept_in_order_whatever_the_batches(small_release, hidden):
    parts = hidden(each=20, seed=3)
    parts = replace(parts, group=np.repeat(["A", "", "B"], 20))
    collector = NewPartsCollector(small_release)
    for batch in scored_batches(small_release, parts, 11):
        collector.update(batch)
    new, predictions = collector.result(), predict(small_release, parts.maps)
    assert len(new) == 60
    np.testing.assert_array_equal(new.mode, predictions.mode)
    for name in ("beta", "sqrt_ve", "score"):
        np.testing.assert_allclose(getattr(new, name), getattr(predictions, name), rtol=1e-5)
    np.testing.assert_array_equal(new.lot, np.repeat([0, 1, 2], 20))
    assert new.verdicts.tolist() == [(predictions.verdict == name).sum() for name in VERDICTS]
    good = parts.maps[predictions.verdict == "good"]
    np.testing.assert_array_equal(new.good, predictions.verdict == "good")
    assert new.maps.count == len(good)
    np.testing.assert_allclose(new.maps.mean, good.mean(axis=0), rtol=1e-5)
