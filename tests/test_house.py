"""The rules of the house: which modules there are, who may import whom, and that each has its test."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from support.project import ROOT

WALK = ["download", "cache", "triplets", "train", "evaluate", "publish"]
STEPS = {
    *WALK,
    "changes",
    "folds",
    "score",
    "drift",
    "sweep",
    "trial",
    "recalibrate",
    "export",
    "maps",
    "overrule",
    "enrol",
}
# From the ground up: a room imports rooms of earlier floors only. Those of one floor do not know each other.
FLOORS = [
    {"core"},
    {"config"},
    {"workers"},
    {"imaging"},
    {"data"},
    {"sources"},
    {"caching"},
    {"model"},
    {"provenance"},
    {"registry"},
    {"evaluation", "scoring"},
    {"promotion", "monitoring", "review", "enrolment", "study"},
    {"report"},
    {"pages"},
    {"zero"},
]
ROOMS = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
HEAVY = {"prefect", "pyarrow", "pandas", "matplotlib", "datasets", "sklearn", "tensorflow", "jax"}
# A GPU box with keras and a backend alone can train: these modules and all that they reach.
PORTABLE = ["tasks.train", *(f"tasks.model.{path.stem}" for path in sorted((ROOT / "tasks" / "model").glob("*.py")))]
NOT_PORTABLE = {"tasks.model.classifier", "tasks.model.fused_score"}
MAX_MODULES, MAX_LINES = 18, 300
# Modules without a test module of their own, and what shows that they work.
TESTED_ELSEWHERE = {"kensa/__main__.py": "tests/kensa/test_package.py runs `python -m kensa`"}
PACKAGES = ("tasks", "flows", "kensa")


def modules(*folders: str) -> list[Path]:
    """Every module of these folders, without the docstrings that `__init__.py` holds."""
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [path.relative_to(ROOT) for path in paths if path.name != "__init__.py"]


def imports(path: Path) -> dict[str, bool]:
    """Every module or name that a file imports, and whether it does so at its top."""
    tree = ast.parse((ROOT / path).read_text())
    names: dict[str, bool] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            imported = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in imported:
            names[name] = names.get(name, False) or node in tree.body
    return names


def file_of(module: str) -> Path | None:
    """The project's file of a module, None for a stranger."""
    path = Path(*module.split(".")).with_suffix(".py")
    return path if (ROOT / path).exists() else None


def reached(module: str) -> set[str]:
    """Every top-level import of a module, and of those of ours that it imports at its top."""
    seen, waiting = set(), [module]
    while waiting:
        for name, top in imports(file_of(waiting.pop())).items():
            if top and name not in seen:
                seen.add(name)
                if file_of(name):
                    waiting.append(name)
    return seen


def room_of(module: str) -> str | None:
    """`data` of `tasks.data.bank`; None for a step."""
    parts = module.split(".")
    return parts[1] if parts[0] == "tasks" and len(parts) > 1 and parts[1] in ROOMS else None


def ids(path: Path) -> str:
    return str(path)


def test_the_modules_directly_in_tasks_are_the_steps():
    assert {path.stem for path in (ROOT / "tasks").glob("*.py")} == STEPS | {"__init__", "steps"}
    assert {path.name for path in (ROOT / "tasks").iterdir() if (path / "__init__.py").exists()} == set(ROOMS)


@pytest.mark.parametrize("path", modules("tasks"), ids=ids)
def test_no_step_and_no_room_imports_a_step_flows_or_prefect(path):
    names = set(imports(path))
    assert not {name.split(".")[0] for name in names} & {"flows", "kensa"}
    if path != Path("tasks/steps.py"):
        assert "prefect" not in {name.split(".")[0] for name in names}
        assert not {f"tasks.{step}" for step in STEPS - {path.stem}} & names
        assert "tasks.steps" not in names


@pytest.mark.parametrize("path", [path for path in modules("tasks") if len(path.parts) > 2], ids=ids)
def test_a_room_imports_lower_floors_only(path):
    room = path.parts[1]
    others = {other for name in imports(path) if (other := room_of(name)) and other != room}
    assert {other for other in others if ROOMS[other] >= ROOMS[room]} == set()


@pytest.mark.parametrize("path", modules("flows"), ids=ids)
def test_flows_reach_the_steps_through_prefect_tasks(path):
    names = set(imports(path))
    assert not {f"tasks.{step}" for step in STEPS} & names
    assert not {name for name in names if name.split(".")[0] == "kensa"}


@pytest.mark.parametrize("path", [path for path in modules("flows") if len(path.parts) == 2], ids=ids)
def test_a_flow_imports_no_other_but_the_folds(path):
    """What flows share stands in prepare.py; the folds are a part of a retraining."""
    flows = {f"flows.{other.stem}" for other in modules("flows") if len(other.parts) == 2}
    assert (flows - {"flows.prepare", "flows.folds"}) & set(imports(path)) == set()


def test_an_init_holds_a_docstring_and_nothing_else():
    for path in [path for package in PACKAGES for path in (ROOT / package).rglob("__init__.py")]:
        body = ast.parse(path.read_text()).body
        assert path == ROOT / "kensa" / "__init__.py" or (len(body) == 1 and isinstance(body[0], ast.Expr)), path


@pytest.mark.parametrize("module", sorted(set(PORTABLE) - NOT_PORTABLE - {"tasks.model.__init__"}))
def test_training_needs_keras_and_a_backend_alone(module):
    assert not {name.split(".")[0] for name in reached(module)} & HEAVY


def test_folders_and_modules_stay_small():
    for folder in {path.parent for path in modules(*PACKAGES, "bench")}:
        assert len([path for path in modules(str(folder)) if path.parent == folder]) <= MAX_MODULES, folder
    for path in modules(*PACKAGES, "bench"):
        assert len((ROOT / path).read_text().splitlines()) <= MAX_LINES, path


@pytest.mark.parametrize("path", modules(*PACKAGES), ids=ids)
def test_a_module_has_its_test_at_the_mirrored_path(path):
    test = ROOT / "tests" / path.parent / f"test_{path.name}"
    assert test.exists() != (str(path) in TESTED_ELSEWHERE), f"expected {test.relative_to(ROOT)} or a reason, not both"


def test_nothing_imports_a_private_name_of_another_module():
    for path in modules("tests", "bench", *PACKAGES):
        private = {name for name in imports(path) if re.search(r"\._[a-z]", name) and file_of(name.rpartition(".")[0])}
        assert not private, path


def test_one_order_of_steps():
    sentence = " → ".join(WALK)
    assert sentence in (ROOT / "README.md").read_text()
    assert sentence in (ROOT / "flows" / "retrain.py").read_text().splitlines()[0]
    walk = re.findall(r"^    (\w+) ", (ROOT / "tasks" / "__init__.py").read_text(), re.M)
    assert [step for step in walk if step in WALK] == WALK
    text = "".join((ROOT / "flows" / name).read_text() for name in ("prepare.py", "retrain.py"))
    calls = [call for call in re.findall(r"steps\.(\w+)\(", text) if call in WALK]
    assert [call for i, call in enumerate(calls) if call not in calls[:i]] == WALK


def locked(path):
    """The entries of a lock, a pin with its hashes each; an extra may need it on fewer Pythons than all together."""
    entries = re.findall(r"^[a-z][^#\n]+==[^#]+?(?=\n(?! *--hash))", path.read_text() + "\n", re.M)
    return {re.sub(r" ; .*(?= \\$)", "", entry, flags=re.M) for entry in entries}


def test_the_locks_name_no_registry():
    for path in (ROOT / "requirements.lock", *(ROOT / "requirements").glob("*.lock")):
        text = path.read_text()
        assert "://" not in text, path
        assert "--hash=sha256:" in text, path


def test_the_locks_of_the_line_and_of_the_extras_are_parts_of_the_one_lock():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    parts = {path.stem: locked(path) for path in (ROOT / "requirements").glob("*.lock")}
    assert set(parts) == {"line", *extras}
    assert set().union(*parts.values()) == locked(ROOT / "requirements.lock")
    assert all(parts["line"].isdisjoint(parts[extra]) for extra in extras)


def test_no_text_installs_what_the_package_index_calls_kensa():
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    texts = {name: (ROOT / name).read_text() for name in files if name.endswith((".py", ".md", ".toml", "Makefile"))}
    wrong = re.compile(r"install [\"']?kensa\b|kensa\[")
    assert not [name for name, text in texts.items() if wrong.search(text) and name != "tests/test_house.py"]


@pytest.mark.parametrize("path", modules(*PACKAGES), ids=str)
def test_text_files_are_utf_8_whatever_the_locale(path):
    """`open`, `read_text` and their like name the encoding, unless the mode is binary."""
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        named = {keyword.arg for keyword in node.keywords}
        words = [str(word.value) for word in node.args if isinstance(word, ast.Constant)]
        reads = node.func.attr in ("read_text", "write_text") or (
            node.func.attr in ("open", "fdopen") and {"r", "w", "a"} & set(words)
        )
        assert "encoding" in named or not reads, f"{path}:{node.lineno}: name the encoding"
