"""What a command does ahead of time: in a process of its own, as it is for the whole process."""

import subprocess
import sys

import pytest


def told(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Traceback" not in done.stderr
    return done.stdout.strip()


@pytest.mark.slow
def test_the_training_is_imported_while_something_else_is_done():
    code = "import sys, threading; from kensa.runs import preload_training; preload_training()\n"
    code += "[one.join() for one in threading.enumerate() if one.name == 'import-training']; print(*sys.modules)"
    assert {"tasks.train", "keras"} <= set(told(code).split())


def test_an_import_that_fails_is_left_to_whoever_needs_it():
    code = "import sys; sys.modules['tasks.train'] = None; "
    code += "from kensa.runs import preload_training; preload_training()"
    assert told(code) == ""
