"""A release by ONNX Runtime: its verdicts are those of the release, and its export is made once."""

from __future__ import annotations

import numpy as np
import pytest

from kensa.serving import served_release
from kensa.serving.served_release import open_release, require_runtime
from tasks.core.errors import MissingExtra, NotServable, UnknownRelease

pytestmark = pytest.mark.slow


def test_it_judges_as_the_release_does(old_line, opened):
    """The tower's last digits may differ, by at most the tolerance of the export's gate."""
    from tasks.registry.loading import load_release
    from tasks.scoring.export_parity import TOLERANCE
    from tasks.scoring.verdicts import predict

    release = load_release(old_line.artifacts, "v2")
    expected, served = predict(release, old_line.maps), opened["v2"].judge(old_line.maps)
    assert served.columns["verdict"].tolist() == expected.verdict.tolist()
    assert served.columns["mode"].tolist() == [release.classifier.modes[code] for code in expected.mode]
    for name in served_release.NUMBERS:
        np.testing.assert_allclose(served.columns[name], getattr(expected, name), rtol=TOLERANCE, atol=TOLERANCE)


def test_many_maps_are_judged_as_few_are(old_line, opened, monkeypatch):
    whole = opened["v2"].judge(old_line.maps)
    monkeypatch.setattr(served_release, "MAPS_PER_CALL", 7)
    parts = opened["v2"].judge(old_line.maps)
    assert len(parts) == len(whole) == 600
    np.testing.assert_allclose(parts.columns["score"], whole.columns["score"], rtol=1e-5)


def test_the_export_is_made_once_and_again_where_it_is_damaged(old_line, opened, monkeypatch):
    def refuse(*words, **options):
        raise AssertionError("it was exported again")

    monkeypatch.setattr(served_release.subprocess, "run", refuse)
    again = open_release(old_line.artifacts, None)
    assert (again.version, again.digest) == ("v2", opened["v2"].digest)
    (folder,) = old_line.artifacts.glob("exports/serve-v2-*")
    model = folder / "model.onnx"
    content = model.read_bytes()
    model.write_bytes(content[:-1] + b"x")
    with pytest.raises(AssertionError, match="exported again"):
        open_release(old_line.artifacts, "v2")
    monkeypatch.undo()
    assert open_release(old_line.artifacts, "v2").digest == again.digest


def test_what_cannot_be_served_is_said(old_line, monkeypatch, tmp_path):
    with pytest.raises(UnknownRelease):
        open_release(old_line.artifacts, "v9")
    monkeypatch.setattr(served_release.sys, "executable", "/bin/false")
    (folder,) = old_line.artifacts.glob("exports/serve-v1-*")
    folder.rename(tmp_path / "kept")
    try:
        with pytest.raises(NotServable, match=r"v1: expected a release that can be exported, found: no message"):
            open_release(old_line.artifacts, "v1")
    finally:
        (tmp_path / "kept").rename(folder)


def test_a_missing_runtime_is_said(monkeypatch):
    require_runtime()
    monkeypatch.setattr(served_release.importlib.util, "find_spec", lambda name: None if name == "onnx" else name)
    with pytest.raises(MissingExtra, match="expected the package onnx, found none; run make setup EXTRAS=serve"):
        require_runtime()
