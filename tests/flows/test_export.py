"""The flow export: a line's champion as a file of its own, and a mistake writes none."""

from __future__ import annotations

import pytest
from support.flow_runs import in_place, run_flow

from flows.export import export
from tasks.core.errors import UnknownRelease

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(small_line, a_place, server, tmp_path_factory):
    """The line boards with the release of `small_line`; flows run here."""
    place = a_place(tmp_path_factory.mktemp("export") / "place", server.env)
    (place.folder / "kensa.toml").write_text('[lines.boards]\ntrain = "acme/boards"\n')
    (place.folder / "artifacts").mkdir()
    (place.folder / "artifacts" / "boards").symlink_to(small_line.artifacts_path)
    with in_place(place.folder, server):
        yield place


def test_the_champion_is_exported_where_it_was_asked_for(place, server):
    run = run_flow(export, line="boards", out="line-7")
    assert run.error is None
    assert (run.result.status, run.result.release, run.result.format) == ("exported", "v1", "onnx")
    assert any((place.folder / "line-7").iterdir())
    state = server.get(f"/flow_runs/{run.id}")["state"]
    assert (state["name"], state["message"]) == ("Exported", "v1 as onnx in line-7")


def test_a_release_that_is_not_there_writes_nothing(place):
    assert isinstance(run_flow(export, line="boards", version="v77", out="none").error, UnknownRelease)
    assert not (place.folder / "none").exists()
