"""How many small changes of the code do its tests notice?

    python -m bench.mutation                        a sample of the modules below
    python -m bench.mutation tasks/data/split.py    of these modules
    python -m bench.mutation --each 10 --seed 7     more of each, and others

A change is one operator, number or condition of one module; the module's own test file must then fail. The libraries
are imported once: each change is tried in a fork of this process, on a copy of the tree. A change that no test can
notice, because it means the same, counts as a survivor; read the list.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODULES = [
    "flows/service/ledger.py",
    "flows/service/lines.py",
    "flows/service/next_runs.py",
    "tasks/config/keras_backend.py",
    "tasks/config/overrides.py",
    "tasks/config/toml_file.py",
    "tasks/core/files.py",
    "tasks/data/split.py",
    "tasks/evaluation/costs.py",
    "tasks/evaluation/leakage.py",
    "tasks/promotion/paired_metrics.py",
    "tasks/monitoring/control_charts.py",
    "tasks/registry/champion.py",
    "tasks/report/history.py",
    "tasks/sources/decided_labels.py",
]
LIBRARIES = ["tensorflow", "keras", "pandas", "pyarrow.parquet", "scipy.stats", "sklearn.metrics", "prefect", "pytest"]
COPIED = [
    "tasks",
    "flows",
    "kensa",
    "bench",
    "tests",
    "docs",
    "pyproject.toml",
    "README.md",
    "prefect.yaml",
    "kensa.toml",
]
ALREADY_IMPORTED = "ignore::pytest.PytestAssertRewriteWarning"
OUTPUT = "output.txt"  # what pytest printed last
SECONDS = 300  # for the tests of one change; a change that makes them endless is noticed
COMPARISONS = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
COMPARISONS |= {ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is}
ARITHMETIC = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.BitAnd: ast.BitOr}
ARITHMETIC |= {ast.BitOr: ast.BitAnd, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult}


@dataclass(frozen=True)
class Mutant:
    """A module with one change: the whole text, and where and what it is."""

    module: str
    text: str
    line: int
    change: str


def mutants(module: str, source: str, each: int, seed: int) -> list[Mutant]:
    """`each` changes of a module, or all where it has fewer, drawn by the seed."""
    sites = len(list(_changes(ast.parse(source))))
    drawn = sorted(random.Random(f"{seed} {module}").sample(range(sites), min(each, sites)))
    return [_mutant(module, source, number) for number in drawn]


def _mutant(module: str, source: str, number: int) -> Mutant:
    tree = ast.parse(source)
    node, change = list(_changes(tree))[number]
    before = ast.unparse(node)
    change()
    return Mutant(module, ast.unparse(tree), node.lineno, f"{before}  ->  {ast.unparse(node)}")


def _changes(tree: ast.Module) -> Iterator[tuple[ast.expr | ast.stmt, Callable[[], None]]]:
    """Each node that can be changed, with the function that changes it; types are never evaluated."""
    types = {id(part) for node in ast.walk(tree) for part in _types(node)}
    for node in ast.walk(tree):
        change = _change_of_operator(node) or _change_of_value(node)
        if change and id(node) not in types:
            yield node, change


def _types(node: ast.AST) -> Iterator[ast.AST]:
    """Every node of the annotations of an argument, a function or a variable."""
    for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None)):
        if annotation is not None:
            yield from ast.walk(annotation)


def _change_of_operator(node: ast.AST) -> Callable[[], None] | None:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        return lambda: node.ops.__setitem__(0, COMPARISONS[type(node.ops[0])]())
    if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        return lambda: setattr(node, "op", ARITHMETIC[type(node.op)]())
    if isinstance(node, ast.BoolOp):
        return lambda: setattr(node, "op", ast.Or() if isinstance(node.op, ast.And) else ast.And())
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return lambda: setattr(node, "op", ast.UAdd())
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return lambda: setattr(node, "operand", ast.UnaryOp(ast.Not(), node.operand))
    return None


def _change_of_value(node: ast.AST) -> Callable[[], None] | None:
    if isinstance(node, ast.If | ast.IfExp):
        return lambda: setattr(node, "test", ast.UnaryOp(ast.Not(), node.test))
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return lambda: setattr(node, "value", node.value + 1)
    if isinstance(node, ast.Return) and node.value and not isinstance(node.value, ast.Constant):
        return lambda: setattr(node, "value", ast.Constant(None))
    return None


def mirrored_test(module: str) -> str:
    """The test file at the mirrored path."""
    path = Path(module)
    return str(Path("tests", path.parent, f"test_{path.name}"))


class Tree:
    """A copy of the project for `with`, in which one module at a time is changed and its tests run."""

    def __enter__(self) -> Tree:
        self.folder = Path(tempfile.mkdtemp(prefix="kensa-mutation-"))
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, self.folder / name, ignore=shutil.ignore_patterns("__pycache__", "out"))
            else:
                shutil.copy2(source, self.folder / name)
        return self

    def __exit__(self, *error: object) -> None:
        shutil.rmtree(self.folder)

    def is_noticed(self, module: str, text: str, tests: list[str], seconds: float = SECONDS) -> bool:
        """Whether the tests fail, or do not end, with this text in place of the module's."""
        path = self.folder / module
        original = path.read_text(encoding="utf-8")
        path.write_text(text, encoding="utf-8")
        try:
            return self._fails(tests, seconds)
        finally:
            path.write_text(original, encoding="utf-8")

    def _fails(self, tests: list[str], seconds: float) -> bool:
        child = os.fork()
        if not child:
            _run_tests(self.folder, tests)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status) != 0
            time.sleep(0.05)
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return True


def _run_tests(folder: Path, tests: list[str]) -> None:
    """In the child: run pytest in the copy, and end with its exit code."""
    code = 70
    try:
        os.setsid()
        output = os.open(folder / OUTPUT, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        for descriptor in (0, 1, 2):
            os.dup2(output, descriptor)
        os.chdir(folder)
        sys.dont_write_bytecode = True
        sys.path[:] = [str(folder), *(path for path in sys.path if path not in ("", str(ROOT)))]
        for name in [name for name in sys.modules if name.partition(".")[0] in ("tasks", "flows", "kensa", "bench")]:
            del sys.modules[name]
        import pytest

        code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-W", ALREADY_IMPORTED, *tests]))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def import_libraries() -> None:
    """What most tests import, once for all."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for name in LIBRARIES:
        __import__(name)


def main(words: list[str] | None = None) -> int:
    """Try the changes; prints the survivors and the rate. 2 where tests fail without a change."""
    parser = argparse.ArgumentParser(prog="python -m bench.mutation", description="Do the tests notice small changes?")
    parser.add_argument("modules", nargs="*", default=MODULES)
    parser.add_argument("--each", type=int, default=4, help="changes of each module (4)")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(words)
    import_libraries()
    noticed = tried = 0
    with Tree() as tree:
        for module in arguments.modules:
            source, tests = (ROOT / module).read_text(encoding="utf-8"), [mirrored_test(module)]
            if tree.is_noticed(module, source, tests):
                print((tree.folder / OUTPUT).read_text(encoding="utf-8", errors="replace")[-3000:], file=sys.stderr)
                print(f"{module}: its tests fail without a change", file=sys.stderr)
                return 2
            for mutant in mutants(module, source, arguments.each, arguments.seed):
                is_noticed = tree.is_noticed(module, mutant.text, tests)
                noticed, tried = noticed + is_noticed, tried + 1
                if not is_noticed:
                    print(f"survived: {module}:{mutant.line}: {mutant.change}", flush=True)
            print(f"{module}: {noticed} of {tried} so far", file=sys.stderr, flush=True)
    print(f"{noticed} of {tried} changes were noticed ({noticed / max(tried, 1):.0%})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
