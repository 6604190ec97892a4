"""A tower's layers as plain records: kinds, settings, shapes, parameters, and what each takes its values from."""

import json
from dataclasses import asdict

import keras
import pytest

from tasks.config.run import RunConfig
from tasks.model.architecture import tower_layers
from tasks.model.tower import build_tower


@pytest.mark.parametrize("preset", ["best", "notebook"])
def test_the_layers_of_a_preset_are_those_of_its_network(preset):
    tower = build_tower(RunConfig(preset=preset).resolved().tower, (36, 39))
    layers = tower_layers(tower)
    assert layers[0].shape == (1404,)
    assert layers[-1].shape == (128,)
    assert sum(layer.parameters for layer in layers) == tower.count_params()
    assert [layer.inputs for layer in layers] == [(), *((number,) for number in range(len(layers) - 1))]
    assert json.loads(json.dumps([asdict(layer) for layer in layers]))


def test_settings_are_said_as_a_reader_wants_them():
    tower = build_tower(RunConfig().resolved().tower, (36, 39))
    said = {(layer.kind, layer.details, layer.shape) for layer in tower_layers(tower)}
    assert ("Conv2D", "5 × 5, stride 2, relu", (18, 20, 24)) in said
    assert ("MaxPooling2D", "2 × 2", (9, 10, 16)) in said
    assert ("Dropout", "rate 0.3", (1600,)) in said
    assert ("Dense", "", (128,)) in said


def test_branches_and_operations_name_their_inputs():
    values = keras.Input((6,))
    first, second = keras.layers.Dense(4)(values), keras.layers.Dense(4)(values)
    layers = tower_layers(keras.Model(values, keras.layers.Dense(2)(keras.layers.Add()([first, second]) * 2.0)))
    assert [layer.kind for layer in layers] == ["InputLayer", "Dense", "Dense", "Add", "Multiply", "Dense"]
    assert [layer.inputs for layer in layers] == [(), (0,), (0,), (1, 2), (3,), (4,)]


def test_a_model_without_an_order_of_layers_has_none():
    class Own(keras.Model):
        def call(self, values):
            return values

    assert tower_layers(Own()) == ()
