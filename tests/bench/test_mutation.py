"""The changes that are tried on the code: each is one, and the seed decides which."""

from __future__ import annotations

import ast

from support.project import ROOT

from bench.mutation import MODULES, mirrored_test, mutants

CODE = """
def f(x, y):
    if x < 3 and not y:
        return -x + 1
    return x
"""


def test_every_kind_of_change_is_made_once_and_is_code():
    changes = mutants("m.py", CODE, each=100, seed=0)
    assert {change.change.splitlines()[-1].strip() for change in changes} >= {
        "x < 3  ->  x <= 3",
        "x < 3 and (not y)  ->  x < 3 or not y",
        "not y  ->  not not y",
        "-x + 1  ->  -x - 1",
        "-x  ->  +x",
        "3  ->  4",
        "return x  ->  return None",
    }
    assert all(ast.unparse(ast.parse(change.text)) != ast.unparse(ast.parse(CODE)) for change in changes)
    assert len({change.text for change in changes}) == len(changes)


def test_types_are_left_alone():
    code = "def f(x: int | None = None) -> str | None:\n    y: int | str = x\n    return y"
    assert [change.change for change in mutants("m.py", code, each=100, seed=0)] == ["return y  ->  return None"]


def test_the_seed_decides_which_are_tried():
    first, again, other = (mutants("m.py", CODE, each=3, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_every_module_of_the_list_has_its_test_file():
    assert [
        module for module in MODULES if not (ROOT / module).exists() or not (ROOT / mirrored_test(module)).exists()
    ] == []
