"""The tower's picture names every layer, is the same every time, and stays small for large towers."""

from dataclasses import asdict

import pytest

from tasks.model.architecture import TowerLayer
from tasks.report.tower_diagram import model_layers, tower_diagram

LAYERS = (
    TowerLayer("InputLayer", "", (1404,), 0, ()),
    TowerLayer("Dense", "relu", (512,), 719360, (0,)),
    TowerLayer("Dense", "", (128,), 65664, (1,)),
)


def texts(layers):
    picture = tower_diagram(layers)
    assert tower_diagram(layers).content == picture.content
    return {line.strip()[5:-4] for line in picture.content.decode().splitlines() if "<!-- " in line}


def test_every_layer_is_there_with_its_output_and_parameters():
    assert texts(LAYERS) >= {"Input: the map", "Dense relu", "512", "719,360", "128", "785,024 parameters in all"}
    assert tower_diagram(LAYERS).alt == "the tower: 3 layers from 1404 to 128"


def test_a_layer_that_is_not_fed_from_above_names_its_inputs():
    branches = (*LAYERS[:2], TowerLayer("Dense", "", (512,), 7, (0,)), TowerLayer("Add", "", (512,), 0, (1, 2)))
    assert texts(branches) >= {"Dense ← 1", "Add ← 2, 3"}


@pytest.mark.parametrize(("count", "left_out"), [(24, set()), (25, {"… 1 more …"}), (400, {"… 376 more …"})])
def test_of_a_large_tower_the_first_and_the_last_are_drawn(count, left_out):
    layers = (LAYERS[0], *(TowerLayer(f"Layer{i}", "", (8,), 1, (i - 1,)) for i in range(1, count)))
    shown = texts(layers)
    assert {text for text in shown if "more" in text} == left_out
    assert {"Layer1", f"Layer{count - 1}"} <= shown
    assert tower_diagram(layers).height < 900


def test_letters_of_formulas_are_no_formulas():
    assert "a$b$" in texts((LAYERS[0], TowerLayer("a$b$", "", (8,), 0, (0,))))


def test_a_report_holds_the_layers_and_an_older_one_none():
    assert model_layers({"layers": [asdict(layer) for layer in LAYERS]}) == LAYERS
    assert model_layers({"weights": "3a"}) == ()
