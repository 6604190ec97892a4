"""Who may import whom, and the one order of steps that README, tasks and flow tell alike."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[1]
STEPS = ["download", "cache", "triplets", "train", "evaluate", "publish"]
PORTABLE = [
    "train",
    "siamese",
    "balanced",
    "mining",
    "blocks",
    "shelf",
    "devices",
    "epochs",
    "tower",
    "scaling",
    "distance",
    "rt_distance",
]  # run where only keras, numpy and a backend are


def imports(path: Path) -> dict[str, bool]:
    """Every module that a file imports, and whether it does so at its top."""
    tree = ast.parse(path.read_text())
    found: dict[str, bool] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""] + [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            found[name] = found.get(name, False) or node in tree.body
    return found


def reached(module: str) -> set[str]:
    """Every top-level import of a module of tasks/ and of those that it imports at its top."""
    seen, waiting = set(), [module]
    while waiting:
        for name, top in imports(HOUSE / "tasks" / f"{waiting.pop()}.py").items():
            part = name.removeprefix("tasks.")
            if top and name not in seen:
                seen.add(name)
                if name.startswith("tasks.") and (HOUSE / "tasks" / f"{part}.py").exists():
                    waiting.append(part)
    return seen


@pytest.mark.parametrize("path", sorted((HOUSE / "tasks").glob("*.py")), ids=lambda path: path.name)
def test_steps_know_neither_flows_nor_prefect_nor_each_other(path):
    names = {name.split(".")[0] for name in imports(path)}
    assert "flows" not in names
    if path.name != "steps.py":
        assert "prefect" not in names
        others = {f"tasks.{step}" for step in STEPS if step != path.stem}
        assert not others & set(imports(path))


@pytest.mark.parametrize("path", sorted((HOUSE / "flows").rglob("*.py")), ids=lambda path: path.name)
def test_flows_reach_the_steps_through_prefect_tasks(path):
    """Only the command, which decides before Prefect is started, may call the plain functions."""
    direct = {f"tasks.{step}" for step in STEPS} & set(imports(path))
    assert not direct or path.parent.name == "commands"


@pytest.mark.parametrize("module", PORTABLE)
def test_training_needs_no_prefect_pyarrow_pandas_or_matplotlib(module):
    tops = {name.split(".")[0] for name in reached(module)}
    assert not tops & {"prefect", "pyarrow", "pandas", "matplotlib", "datasets", "sklearn", "tensorflow", "jax"}


def test_one_order_of_steps():
    sentence = " → ".join(STEPS)
    assert sentence in (HOUSE / "README.md").read_text()
    assert sentence in (HOUSE / "flows" / "retrain.py").read_text().splitlines()[0]
    walk = re.findall(r"^    (\w+) ", (HOUSE / "tasks" / "__init__.py").read_text(), re.M)
    assert [step for step in walk if step in STEPS] == STEPS
    calls = re.findall(r"steps\.(\w+)\(", (HOUSE / "flows" / "retrain.py").read_text())
    first_calls = [call for i, call in enumerate(calls) if call in STEPS and call not in calls[:i]]
    line_order = [step for step in STEPS if step in ("download", "cache")]
    assert sorted(first_calls, key=STEPS.index) == STEPS
    assert [call for call in first_calls if call not in line_order] == STEPS[2:]


def test_the_lock_names_no_registry():
    text = (HOUSE / "requirements.lock").read_text()
    assert "://" not in text
    assert "--hash=sha256:" in text


def test_modules_stay_small():
    for path in [*(HOUSE / "tasks").glob("*.py"), *(HOUSE / "flows").rglob("*.py")]:
        assert len(path.read_text().splitlines()) <= 250, path
