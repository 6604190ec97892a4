"""`kensa retrain`: which run the options mean, and how its result is printed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from kensa.cli.retrain import configure_run, setting_rows
from tasks.config.overrides import OPTIONS, setting_fields
from tasks.core.results import RetrainResult

RESULT = RetrainResult("released", "v2", "artifacts/releases/v2", {}, {"auroc": 0.9725, "mode_accuracy": 0.5}, "v2")


@pytest.fixture
def configs(monkeypatch):
    """The configurations that reach the run, which is left out."""
    seen = []
    monkeypatch.setattr("kensa.runs.retrain_with", lambda config: seen.append(config) or RESULT)
    return seen


def test_options_and_settings_become_the_run(run, configs):
    words = ["--train", "acme/boards", "--revision", "v1", "--preset", "notebook", "--data", "cache"]
    assert run("retrain", *words, "--set", "fit.epochs=3", "--set", "seed=7").code == 0
    [config] = configs
    assert (config.train, config.revision, config.preset, config.data_folder) == (
        "acme/boards",
        "v1",
        "notebook",
        "cache",
    )
    assert (config.fit.epochs, config.seed, config.artifacts_folder) == (3, 7, "artifacts")


def test_options_win_over_the_file_of_settings(run, configs, tmp_path):
    file = tmp_path / "best.toml"
    file.write_text('train = "acme/boards"\npreset = "rt"\nset = ["fit.epochs=3"]\n')
    assert run("retrain", "--settings", file, "--preset", "notebook").code == 0
    assert (configs[0].train, configs[0].preset, configs[0].fit.epochs) == ("acme/boards", "notebook", 3)


def test_the_result_is_a_line_with_a_table_below_it(run, configs):
    lines = run("retrain").out.splitlines()
    assert lines[0] == "released: v2  (artifacts/releases/v2)"
    assert [line.split() for line in lines[1:]] == [
        ["auroc", "0.973"],
        ["mode", "accuracy", "0.500"],
        ["champion", "v2"],
        ["report", "artifacts/releases/v2/report.html"],
    ]
    assert len({len(line) - len(line.lstrip()) for line in lines[1:]}) == 1


def test_escapes_and_false_alarms_stand_first(run, monkeypatch):
    rates = "champion v1 → this model: escapes 38.7 % → 60.7 %"
    result = replace(
        RESULT,
        metrics=RESULT.metrics | {"good_tpr": 0.393, "good_fpr": 0.0},
        comparison={"rates": rates, "escapes": {"n": 150}},
        reasons=("escapes rose",),
    )
    monkeypatch.setattr("kensa.runs.retrain_with", lambda _: result)
    lines = [line.strip() for line in run("retrain").out.splitlines()]
    assert lines[1:3] == [rates, "escapes rose"]
    assert [line.split() for line in lines[3:6]] == [
        ["escapes", "0.607"],
        ["false", "alarms", "0.000"],
        ["auroc", "0.973"],
    ]


def test_what_extra_trainings_found_is_printed(run, monkeypatch):
    metrics = RESULT.metrics | {"unseen_good_auroc": 0.8125, "unseen_caught": 0.5, "cross_good_fpr": 0.0625}
    monkeypatch.setattr("kensa.runs.retrain_with", lambda _: replace(RESULT, metrics=metrics))
    lines = [" ".join(line.split()) for line in run("retrain").out.splitlines()]
    assert "unseen modes, good auroc, mean 0.812" in lines
    assert "unseen modes, caught at the threshold 0.500" in lines
    assert "every group tested once, good parts stopped 0.062" in lines


def test_the_result_as_json(run, configs):
    assert json.loads(run("retrain", "--json").out) == RESULT.as_json()


def test_every_setting_has_its_line_in_the_help():
    rows = dict(setting_rows())
    assert set(rows) == set(setting_fields()) - set(OPTIONS)
    assert all(len(text) > 10 for text in rows.values())
    assert rows["split.seed"].endswith("[default: 42]")
    assert rows["fit.batches"].endswith("[triplets|records; default: records (best and rt), triplets (notebook)]")


def test_no_option_means_the_run_of_no_option():
    config = configure_run({}, None, [], Path("data"), Path("artifacts"))
    assert (config.train, config.preset, config.data_folder) == ("demo", "best", "data")
