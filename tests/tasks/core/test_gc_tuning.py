"""The collector of a process that imports TensorFlow."""

import subprocess
import sys


def test_the_collector_looks_seldom_and_not_at_the_end():
    code = "import atexit, gc; atexit.register(lambda: print(gc.get_freeze_count() > 0))\n"
    code += "from tasks.core.gc_tuning import relax_gc; relax_gc(); print(gc.get_threshold()[0] > 10_000)\n"
    code += "atexit.register(lambda: print(gc.get_freeze_count() > 0))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False", "True"]  # said, before, after
