"""`--set key=value`: text becomes typed values, and every mistake is told with its cure."""

from __future__ import annotations

import pytest

from tasks.config.model import TrainingConfig
from tasks.config.overrides import apply_overrides, read_run, read_value, setting_fields, to_overrides
from tasks.config.run import DataConfig, EvaluateConfig, RunConfig, TripletsConfig
from tasks.core.errors import BadSetting


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("fit.epochs=5", 5),
        ("fit.margin=1", 1.0),
        ("fit.margin=1e-3", 0.001),
        (" fit.margin = .5 ", 0.5),
        ("seed=7", 7),
        ("evaluate.shifts=5", 5),
        ("data.good=0", "0"),
        ("data.good=a=b", "a=b"),
        ("data.group=none", "none"),
        ("data.config=none", None),
        ("data.part=", None),
        ("triplets.replace_crossing=False", False),
        ("triplets.replace_crossing=true", True),
        ("fit.distance=cosine", "cosine"),
        ("gate.figure=mode_accuracy", "mode_accuracy"),
        ("tower.widths=64-32", "64-32"),
    ],
)
def test_text_becomes_the_settings_type(word, value):
    parsed = read_value(apply_overrides(RunConfig(), [word]), word.partition("=")[0].strip())
    assert parsed == value
    assert type(parsed) is type(value)


def test_none_gives_the_presets_value_back():
    config = apply_overrides(RunConfig(fit=TrainingConfig(margin=9.0)), ["fit.margin=none"])
    assert config.fit.margin is None
    assert config.resolved().fit.margin == 0.4


def test_the_last_word_wins_and_the_given_run_stays():
    before = RunConfig()
    after = apply_overrides(before, ["fit.epochs=5", "fit.margin=2", "fit.epochs=6"])
    assert (after.fit.epochs, after.fit.margin) == (6, 2.0)
    assert before == RunConfig()


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("fit.epochs", "--set fit.epochs: expected key=value"),
        ("fit.epoch=5", "did you mean fit.epochs"),
        ("epochs=5", "did you mean fit.epochs"),
        ("zzzzzz=5", "unknown setting; did you mean artifacts_folder, cost.currency"),
        ("=5", "unknown setting"),
        ("fit=5", "unknown setting"),
        ("evaluate.shifts=4", "--set evaluate.shifts=4: shifts: expected 1 or 5 or 9, found '4'"),
        ("fit.epochs=many", "--set fit.epochs=many: epochs: expected int or none, found 'many'"),
        ("fit.epochs=2.5", "expected int or none, found '2.5'"),
        ("fit.epochs=0", "--set fit.epochs=0: epochs: expected at least 1 and at most 100000, found 0"),
        ("fit.margin=nan", "margin: expected at least 0"),
        ("data.rows=none", "rows: expected int, found 'none'"),
        ("triplets.replace_crossing=1", "replace_crossing: expected bool, found '1'"),
        (
            "fit.distance=manhattan",
            "expected euclidean, squared-euclidean, cosine, snr, rt, or module:name",
        ),
        ("tower.widths=512-x", "--set tower.widths=512-x: widths: expected positive numbers"),
    ],
)
def test_mistakes_are_told_with_their_cure(word, text):
    with pytest.raises(BadSetting) as error:
        apply_overrides(RunConfig(), [word])
    assert text in str(error.value)
    assert error.value.exit_code == 2


def test_keys_are_all_settings_in_the_order_of_the_form():
    keys = list(setting_fields())
    assert keys[0] == "train"
    assert keys.index("fit.distance") < keys.index("fit.margin") < keys.index("gate.figure")
    assert not {"fit", "data", "split", "tower"} & set(keys)


@pytest.mark.parametrize(
    "config",
    [
        RunConfig(),
        RunConfig(seed=7, data=DataConfig(rows=4, good="a=b", part="dev")),
        RunConfig(fit=TrainingConfig(margin=1e-9, learning_rate=0.1 + 0.2, distance="cosine")),
        RunConfig(triplets=TripletsConfig(replace_crossing=False, per_record=3)),
        RunConfig(evaluate=EvaluateConfig(shifts=9)),
    ],
)
def test_words_make_the_same_run_again(config):
    assert apply_overrides(RunConfig(), to_overrides(config)) == config


def test_words_name_only_what_is_unusual_and_no_source():
    assert to_overrides(RunConfig(train="acme/boards", data_folder="elsewhere", fit=TrainingConfig(epochs=3))) == [
        "fit.epochs=3"
    ]


def test_a_file_holds_a_run(tmp_path):
    (tmp_path / "best.toml").write_text('train = "acme/boards"\npreset = "rt"\nset = ["fit.epochs=3"]\n')
    assert read_run(tmp_path / "best.toml") == RunConfig("acme/boards", preset="rt", fit=TrainingConfig(epochs=3))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train = ", "cannot be read"),
        ("test = 'x'", "expected train and, optionally, preset, set, test"),
        ("train = 'x'\nnope = 1", "expected train and, optionally, preset, set, test"),
        ("train = 'x'\nset = 'fit.epochs=3'", 'expected set as a list such as ["fit.epochs=5"]'),
        ("train = 'x'\nset = ['revision=main']", "expected no revision in set"),
        ("train = 'x'\nset = ['fit.epochs=0']", "set fit.epochs=0: epochs: expected at least 1"),
        ("train = 'x'\npreset = 7", "preset: expected 'best'"),
    ],
)
def test_mistakes_of_a_file_are_told_with_its_name(tmp_path, text, expected):
    path = tmp_path / "best.toml"
    path.write_text(text)
    with pytest.raises(BadSetting) as error:
        read_run(path)
    assert str(error.value).startswith(f"--settings {path}: ")
    assert expected in str(error.value)
