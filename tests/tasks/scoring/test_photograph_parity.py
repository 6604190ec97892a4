"""The gate from photograph to verdict passes for the program as it is, and for no other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.photographs import small_standard

from tasks.core.errors import ParityLost
from tasks.imaging.photos import Photo
from tasks.imaging.standard import read_standard
from tasks.scoring import standalone_photographs
from tasks.scoring.export_formats import run_onnx
from tasks.scoring.photograph_parity import DRAWN_PHOTOGRAPHS, draw_photographs, photograph_gate


@pytest.fixture
def gate(exported, small_release, tmp_path):
    folder, scratch = small_standard(tmp_path), tmp_path / "scratch"
    scratch.mkdir()
    real = run_onnx(Path(exported["onnx"].path) / "model.onnx")
    standard = read_standard(folder)
    return lambda run=real: photograph_gate(small_release, run, standard, folder / "standard.npz", scratch)


def test_it_passes_on_photographs_of_every_kind(gate):
    parity = gate()
    assert (parity.records, parity.other_modes, parity.other_verdicts) == (DRAWN_PHOTOGRAPHS, 0, 0)
    assert parity.distance < 1e-6


@pytest.mark.parametrize("colour", [False, True])
def test_some_of_them_can_be_aligned_and_some_cannot(tmp_path, colour):
    standard = read_standard(small_standard(tmp_path, colour=colour))
    photos = [Photo(path, path.name) for path in draw_photographs(standard, tmp_path)]
    registered = [standard.to_map(photo).alignment.registered for photo in photos]
    assert min(registered.count(True), registered.count(False)) >= 6


@pytest.mark.parametrize(("name", "value"), [("PEDESTAL", 8.01 / 255), ("MIN_CORRELATION", 0.999), ("BLUR_PIXELS", 7)])
def test_a_program_that_measures_otherwise_is_found(gate, monkeypatch, name, value):
    monkeypatch.setattr(standalone_photographs, name, value)
    with pytest.raises(ParityLost, match="expected the maps of photographs as kensa maps measures them"):
        gate()


def test_a_model_that_judges_otherwise_is_found(gate, exported):
    real = run_onnx(Path(exported["onnx"].path) / "model.onnx")
    with pytest.raises(ParityLost, match="verdicts of photographs"):
        gate(lambda maps: {**real(maps), "verdict": 1 - np.minimum(real(maps)["verdict"], 1)})
