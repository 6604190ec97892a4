"""The program beside an exported model: help for who runs it, verdicts on every shape of maps, one line on mistakes."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tasks.scoring import standalone
from tasks.scoring.standalone import Inspector, main

FACTS = {"release": "v1", "rows": 2, "cols": 3, "modes": ["0", "crack"], "verdicts": ["good", "defect", "unknown"]}
NUMBERS = ("distance", "score", "margin", "beta", "sqrt_ve")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model like an export: every number is the map's mean, mode and verdict 1 where that is above 0."""
    nodes = [
        helper.make_node("ReduceMean", ["map"], ["mean"], axes=[1], keepdims=0),
        *(helper.make_node("Identity", ["mean"], [name]) for name in NUMBERS[:-1]),
        helper.make_node("Log", ["mean"], [NUMBERS[-1]]),
        helper.make_node("Sign", ["mean"], ["sign"]),
        *(helper.make_node("Cast", ["sign"], [name], to=TensorProto.INT32) for name in ("mode", "verdict")),
    ]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in NUMBERS]
    outputs += [helper.make_tensor_value_info(name, TensorProto.INT32, ["n"]) for name in ("mode", "verdict")]
    maps = helper.make_tensor_value_info("map", TensorProto.FLOAT, ["n", 6])
    graph = helper.make_graph(nodes, "verdict", [maps], outputs)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(proto, {"kensa": json.dumps(FACTS)})
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    onnx.save(proto, path)
    return path


@pytest.mark.parametrize("shape", [(2, 2, 3), (2, 6)])
def test_verdicts_on_maps_in_rows_and_columns_or_flat(model, shape):
    maps = np.stack([np.zeros(6), np.full(6, 2.0)]).reshape(shape)
    good, defect = Inspector(model).verdicts(maps)
    assert defect == {
        "verdict": "defect",
        "mode": "crack",
        **dict.fromkeys(NUMBERS, 2.0),
        "sqrt_ve": pytest.approx(0.693, abs=1e-3),
    }
    assert (good["verdict"], good["mode"], good["sqrt_ve"]) == ("good", "0", None), "no number is null"


def test_a_single_map_will_do_and_another_size_is_refused(model):
    assert len(Inspector(model).verdicts(np.ones((2, 3)))) == 1
    with pytest.raises(ValueError, match=r"expected maps of 2×3 values, found the shape \(4, 5\)"):
        Inspector(model).verdicts(np.ones((4, 5)))


def test_the_program_prints_a_line_a_map_with_numpy_and_onnxruntime_alone(model, tmp_path):
    np.save(tmp_path / "maps.npy", np.ones((3, 2, 3)))
    command = [sys.executable, "-X", "importtime", standalone.__file__, "maps.npy", "--model", model]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-500:]
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not imported & {"keras", "tensorflow", "tasks", "pyarrow"}
    assert [json.loads(line)["verdict"] for line in done.stdout.splitlines()] == ["defect"] * 3


def test_help_says_what_goes_in_and_what_comes_out(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    text = capsys.readouterr().out
    assert ended.value.code == 0
    for word in ("MAPS.npy", "--model", "good, defect", *NUMBERS):
        assert word in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["maps.npy"], "model.onnx: no such model; name it with --model"),
        (["none.npy", "--model", "MODEL"], "none.npy"),
        (["text.npy", "--model", "MODEL"], "text.npy: expected numbers as numpy.save writes them"),
        (["maps.npy", "--model", "MODEL"], "expected maps of 2×3 values"),
        (["part.png", "--model", "MODEL"], "part.png: expected maps.npy: v1 takes no photographs"),
    ],
)
def test_a_mistake_is_one_line(model, tmp_path, capsys, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    np.save("maps.npy", np.ones((1, 5)))
    (tmp_path / "text.npy").write_text("not numbers")
    assert main([str(model) if word == "MODEL" else word for word in words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_another_model_is_refused(model, tmp_path):
    proto = onnx.load(model)
    del proto.metadata_props[:]
    onnx.save(proto, tmp_path / "other.onnx")
    with pytest.raises(ValueError, match="expected a model exported by Kensa"):
        Inspector(tmp_path / "other.onnx")
