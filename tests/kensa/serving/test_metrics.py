"""The metrics of the service; those of a running one are read in test_service.py."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from kensa.serving.metrics import ServiceMetrics
from kensa.serving.served_release import Verdicts
from kensa.serving.turns import Turns


def test_verdicts_are_counted_by_kind_and_release_and_a_champion_that_is_not_served_is_told():
    current = SimpleNamespace(release=SimpleNamespace(version="v3", digest="abc"), changes=2, problem="v4: no")
    metrics = ServiceMetrics(current, Turns(1, 1))
    metrics.count(Verdicts("v3", "abc", {"verdict": np.array(["good", "defect", "good"], object)}))
    metrics.count(Verdicts("v3", "abc", {"verdict": np.array([], object)}), [True, False])
    lines = metrics.text().decode().splitlines()
    assert 'kensa_serve_verdicts_total{release="v3",verdict="good"} 2.0' in lines
    assert 'kensa_serve_release_info{digest="abc",release="v3"} 1.0' in lines
    assert 'kensa_serve_unregistered_total{release="v3"} 1.0' in lines
    assert {"kensa_serve_champion_not_served 1.0", "kensa_serve_release_changes 2.0"} <= set(lines)
