"""What a command does ahead of time: in a process of its own, as it is for the whole process."""

import subprocess
import sys

import pytest


def told(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Traceback" not in done.stderr
    return done.stdout.strip()


def test_the_collector_looks_seldom_and_not_at_the_end():
    code = "import atexit, gc; atexit.register(lambda: print(gc.get_freeze_count() > 0))\n"
    code += "from flows.ahead import collect_seldom; collect_seldom(); print(gc.get_threshold()[0] > 10_000)\n"
    code += "atexit.register(lambda: print(gc.get_freeze_count() > 0))"
    assert told(code).split() == ["True", "False", "True"]  # said, before, after


@pytest.mark.slow
def test_the_training_is_imported_while_something_else_is_done():
    code = "import sys, threading; from flows.ahead import import_training; import_training()\n"
    code += "[one.join() for one in threading.enumerate() if one.name == 'import-training']; print(*sys.modules)"
    assert {"tasks.train", "keras"} <= set(told(code).split())


def test_an_import_that_fails_is_left_to_whoever_needs_it():
    code = "import sys; sys.modules['tasks.train'] = None; from flows.ahead import import_training; import_training()"
    assert told(code) == ""
