"""What an exported model says of itself."""

from __future__ import annotations

import json

from tasks.core.files import file_digest
from tasks.scoring.export_facts import export_facts


def test_the_facts_are_the_releases_and_plain_json(small_release):
    facts = export_facts(small_release, "onnx")
    entries = facts.as_json()
    assert json.loads(json.dumps(entries)) == entries
    assert set(entries) == {
        *("export", "format", "release", "manifest", "weights", "rows", "cols", "input", "outputs", "modes"),
        *("verdicts", "distance", "units", "thresholds"),
    }
    assert (facts.format, facts.release, facts.rows, facts.cols) == ("onnx", "v1", 4, 5)
    assert facts.manifest == file_digest(small_release.path / "manifest.json")
    assert facts.thresholds["good or defect"]["value"] == small_release.defect_threshold
    assert facts.units == {"distance": "euclidean", "score": "euclidean"}
    assert facts.verdicts == ["good", "defect", "unknown", "unreadable"]
