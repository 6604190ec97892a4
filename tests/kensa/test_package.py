"""`import kensa` is quick, and offers a few names, all of them documented and typed."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys

import pytest
from support.project import ROOT

import kensa

OURS = {"kensa", "tasks", "flows"}


def modules_after(code):
    """The modules that Python holds after this code, in a process of its own."""
    code = f"import sys; before = set(sys.modules)\n{code}\nprint(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split())


def test_the_import_loads_nothing_but_the_package_itself():
    loaded = modules_after("import kensa")
    assert {name for name in loaded if name.split(".")[0] not in sys.stdlib_module_names} == {"kensa"}


def test_the_list_of_releases_needs_no_large_library():
    loaded = modules_after("import kensa; kensa.releases('nowhere')")
    assert not {"numpy", "pandas", "pyarrow", "prefect", "keras", "tensorflow", "matplotlib"} & loaded


@pytest.mark.parametrize("name", kensa.__all__)
def test_every_name_has_a_docstring_and_types(name):
    thing = getattr(kensa, name)
    members = [getattr(member, "fget", member) for key, member in vars(thing).items() if key[0] != "_"]
    for function in members if inspect.isclass(thing) else [thing]:
        assert inspect.getdoc(function)
        signature = inspect.signature(function)
        assert signature.return_annotation is not signature.empty
        for parameter in signature.parameters.values():
            assert parameter.name == "self" or parameter.annotation is not parameter.empty


def test_the_names_for_type_checkers_are_the_names_at_run_time():
    assert set(kensa.MODULES) == set(kensa.__all__)
    assert (ROOT / "kensa" / "py.typed").exists()
    source = (ROOT / "kensa" / "__init__.py").read_text()
    for name, module in kensa.MODULES.items():
        assert name in source.split(f"from kensa.{module} import ")[1].splitlines()[0]


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'retrian'"):
        kensa.retrian  # noqa: B018


def test_somebody_s_tasks_py_on_the_path_is_passed_over(tmp_path):
    """Here and in child processes."""
    for name in ("tasks.py", "flows.py"):
        (tmp_path / name).write_text("raise SystemExit('somebody else')")
    code = "import os, kensa; from tasks.core import errors; import flows.service; print(os.environ['PYTHONPATH'])"
    env = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, f"{ROOT}{os.pathsep}{tmp_path}\n"), done.stderr


def test_a_program_with_a_module_of_its_own_called_tasks_is_told(tmp_path):
    (tmp_path / "tasks.py").write_text("")
    words = [sys.executable, "-c", "import tasks, kensa"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "kensa needs its own package tasks, found " in done.stderr.splitlines()[-1]
