"""The line as functions. What a run does ahead of time is seen in a process of its own, as it is for all of it."""

import subprocess
import sys

import pyarrow.parquet as pq
import pytest
from support.inspected_parts import inspected, map_column

import kensa
from kensa.runs import require_services, run_config
from tasks.core.errors import BadSetting, LimitedMemory, UnknownSource


def write_source(folder):
    """A folder of 420 records of three modes, as a source."""
    folder.mkdir()
    pq.write_table(map_column(inspected(each=140)), folder / "train.parquet")


def told(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Traceback" not in done.stderr
    return done.stdout.strip()


@pytest.mark.slow
def test_the_training_is_imported_while_something_else_is_done():
    code = "import sys, threading; from kensa.runs import preload_training; preload_training()\n"
    code += "[one.join() for one in threading.enumerate() if one.name == 'import-training']; print(*sys.modules)"
    assert {"tasks.train", "keras"} <= set(told(code).split())


def test_an_import_that_fails_is_left_to_whoever_needs_it():
    code = "import sys; sys.modules['tasks.train'] = None; "
    code += "from kensa.runs import preload_training; preload_training()"
    assert told(code) == ""


def test_settings_are_sections_or_single_values():
    config = run_config("acme/boards", {"preset": "notebook", "seed": 7, "fit": {"epochs": 3, "devices": 1}})
    assert (config.train, config.preset, config.seed) == ("acme/boards", "notebook", 7)
    assert (config.fit.epochs, config.fit.devices) == (3, 1)
    assert run_config("demo", {"data_folder": "elsewhere", "test": None}).data_folder == "elsewhere"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fit": {"epoch": 3}}, "fit.epoch.*did you mean.*fit.epochs"),
        ({"fit": {"epochs": 0}}, "fit.epochs.*expected at least 1.*found 0"),
        ({"preset": "bets"}, "preset.*found 'bets'"),
    ],
)
def test_a_wrong_setting_is_refused_before_anything_runs(settings, message):
    with pytest.raises(BadSetting, match=message):
        kensa.retrain("demo", **settings)


def test_a_source_that_does_not_exist_is_refused(tmp_path):
    folders = {"data_folder": str(tmp_path / "data"), "artifacts_folder": str(tmp_path / "artifacts")}
    with pytest.raises(UnknownSource, match="boards: expected org/name"):
        kensa.retrain("boards", **folders)


@pytest.mark.slow
def test_a_retraining_from_python_is_the_one_of_the_command(served):
    """The second time nothing is trained, whichever of the two asks."""
    write_source(served.folder / "set")
    sections = {"data": {"rows": 4, "cols": 5}, "tower": {"widths": "16-8"}, "fit": {"epochs": 1}}
    code = f"import kensa; print(kensa.retrain('set', preset='notebook', **{sections!r}).status)"
    done = served.run(sys.executable, "-c", code)
    assert done.out in ("released\n", "rejected\n"), done.err
    words = [f"{section}.{key}={value}" for section, values in sections.items() for key, value in values.items()]
    options = [option for word in words for option in ("--set", word)]
    again = served.kensa("retrain", "--train", "set", "--preset", "notebook", *options, small=False)
    assert again.out.startswith("unchanged: "), again.err


def test_the_demonstration_part_has_other_records_for_another_seed():
    parts, others = kensa.demo(good=6, per_mode=2), kensa.demo(seed=7, good=6, per_mode=2)
    assert parts.maps.shape == others.maps.shape == (24, 36 * 39)
    assert (parts.label == (parts.fmode > 0)).all()
    assert not (parts.maps == others.maps).all(axis=1).any()


def test_the_releases_are_listed_oldest_first(small_line, tmp_path):
    [release] = kensa.releases(small_line.artifacts_folder)
    assert (release.version, release.manifest.status) == ("v1", "released")
    assert release.path == small_line.artifacts_path / "releases" / "v1"
    assert kensa.releases(tmp_path / "none") == []


def test_the_verdicts_on_a_source_become_a_file(small_line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_source(tmp_path / "set")
    result = kensa.score("set", out="verdicts.parquet", artifacts=small_line.artifacts_folder)
    assert (result.release, result.path) == ("v1", "verdicts.parquet")
    assert sum(result.counts.values()) == pq.read_metadata("verdicts.parquet").num_rows == 420


@pytest.mark.parametrize(("server", "line"), [(None, "start Prefect's temporary server …\n"), ("http://there", "")])
def test_a_temporary_server_is_announced_because_it_takes_its_time(monkeypatch, capsys, server, line):
    monkeypatch.setattr("flows.service.server.configured_server", lambda: server)
    monkeypatch.setattr("flows.service.server.require_server", lambda needed: None)
    require_services()
    assert capsys.readouterr().err == line


def test_a_limit_of_memory_that_ends_every_training_is_told_before(monkeypatch):
    monkeypatch.setattr("resource.getrlimit", lambda which: (1_024_000_000, -1))
    with pytest.raises(
        LimitedMemory, match=r"ulimit -v: expected 4 GB or more, .*found 1.0 GB; run ulimit -v unlimited"
    ):
        require_services()
