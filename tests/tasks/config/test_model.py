"""Settings of the model and its training that are refused at once, and the presets that fill the gaps."""

from __future__ import annotations

import dataclasses

import pytest

from tasks.config.model import PRESETS, TowerConfig, TrainingConfig, parse_widths
from tasks.config.run import RunConfig
from tasks.core.errors import BadSetting


@pytest.mark.parametrize("text", ["", "512-", "-512", "a-b", "512-0", "512,256", "65537", "9" * 5000, "1.5", "²"])
def test_widths_are_refused_when_the_run_is_configured(text):
    with pytest.raises(BadSetting, match="widths: expected positive numbers such as 512-256-128"):
        TowerConfig(widths=text)


def test_widths_are_numbers():
    assert parse_widths("512-256-128") == [512, 256, 128]
    assert parse_widths("65536") == [65536]


def test_a_loss_without_any_term_is_refused():
    with pytest.raises(BadSetting, match="expected a loss, found both of its weights 0"):
        TrainingConfig(triplet_weight=0, prototype_weight=0)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_fills_every_gap_and_overrides_nothing(preset):
    filled = RunConfig(preset=preset).resolved()
    assert dataclasses.asdict(filled.tower) == PRESETS[preset]["tower"]
    assert dataclasses.asdict(filled.fit) == PRESETS[preset]["fit"]
    custom = RunConfig(preset=preset, fit=TrainingConfig(margin=0.0, epochs=7)).resolved()
    assert (custom.fit.margin, custom.fit.epochs, custom.fit.batch) == (0.0, 7, filled.fit.batch)
    assert custom.resolved() == custom


def test_the_notebook_preset_is_the_notebooks_recipe():
    run = RunConfig(preset="notebook").resolved()
    assert run.tower.widths == "512-256-128"
    assert (run.fit.distance, run.fit.margin, run.fit.learning_rate) == ("euclidean", 0.4, 3e-5)
    assert (run.fit.batch, run.fit.epochs, run.fit.patience, run.seed) == (32, 20, 2, 42)
