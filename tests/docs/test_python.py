"""docs/python.md: its table names the public API, and its programs run."""

from __future__ import annotations

import ast
import re

import numpy as np
import pytest
from support.project import ROOT

import kensa

PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
RETRAIN, INSPECT = re.findall(r"```python\n(.*?)```", PAGE, re.S)


def test_the_table_names_the_whole_api():
    assert set(re.findall(r"^\| `kensa\.(\w+)", PAGE, re.M)) == set(kensa.__all__)
    members = re.search(r"`load` returns: (.*?) \|", PAGE).group(1)
    assert set(re.findall(r"`(\w+)`", members)) == {name for name in vars(kensa.Inspector) if name[0] != "_"} - {
        "release"
    }


@pytest.mark.slow
def test_the_program_that_inspects_runs(small_line, hidden, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "artifacts").symlink_to(small_line.artifacts_path)
    np.save("parts.npy", hidden(each=10, seed=3).maps.reshape(-1, 4, 5))
    exec(compile(INSPECT, "docs/python.md", "exec"), {})
    assert "(30, 8)" in capsys.readouterr().out


def test_the_settings_of_the_program_that_retrains_exist():
    [call] = [node for node in ast.walk(ast.parse(RETRAIN)) if isinstance(node, ast.Call) and node.keywords]
    settings = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
    from kensa.runs import run_config

    assert run_config(ast.literal_eval(call.args[0]), settings).fit.epochs == 10
