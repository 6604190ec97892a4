"""docs/evaluation.ipynb runs from top to bottom in a real kernel, and its Japanese twin has the same code."""

from __future__ import annotations

import base64
import json

import nbformat
import pytest
from nbclient import NotebookClient
from support.project import ROOT

ENGLISH, JAPANESE = (ROOT / "docs" / name for name in ("evaluation.ipynb", "evaluation.ja.ipynb"))
# What the notebook has found out, to be printed at its end.
FACTS = """
import json
facts = {"statuses": [first.status, second.status], "angular": accuracy, "verification": verification}
facts |= {"equal": equal, "verdicts": int(verdict_table.to_numpy().sum()), "parts": len(maps)}
facts |= {"second": roc_auc_score(is_same, -distance), "ended": service.returncode is not None}
print(json.dumps(facts))
"""


def read(path):
    return nbformat.read(path, as_version=4)


def code_of(path):
    return [cell.source for cell in read(path).cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", [ENGLISH, JAPANESE], ids=lambda path: path.name)
def test_a_notebook_is_valid_and_keeps_no_output(path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)
    assert path.stat().st_size < 50_000


def test_both_have_the_same_code_and_as_many_texts():
    assert code_of(ENGLISH) == code_of(JAPANESE)
    kinds = [[cell.cell_type for cell in read(path).cells] for path in (ENGLISH, JAPANESE)]
    assert kinds[0] == kinds[1]
    texts = [
        "".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
        for path in (ENGLISH, JAPANESE)
    ]
    assert "評価不能" in texts[1]
    assert not set("検査評価") & set(texts[0].replace("[日本語]", ""))


@pytest.mark.slow
def test_it_runs_and_the_service_says_what_the_model_says(tmp_path, monkeypatch):
    """With two epochs a training; the first model judges though its angular accuracy is that of a coin."""
    for name in ("PREFECT_HOME", "TMPDIR", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):
        (tmp_path / name.lower()).mkdir()
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    notebook = read(ENGLISH)
    (parameters,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    assert parameters.source.startswith("EPOCHS = None")
    parameters.source = "EPOCHS = 2"
    notebook.cells.append(nbformat.v4.new_code_cell(FACTS))
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 6
    assert all(base64.b64decode(picture).startswith(b"\x89PNG") for picture in pictures)
    facts = json.loads(outputs[-1].text)
    assert facts["statuses"][0] == "released", "the first of its line, better than the raw map"
    assert facts["angular"] < 0.55 < facts["verification"], "evaluation impossible, and possible"
    assert facts["second"] > facts["verification"]
    assert (facts["equal"], facts["verdicts"], facts["ended"]) == (1, facts["parts"], True)
