"""What native code writes during an import stays off the terminal; what fails, and what Python prints, does not."""

from __future__ import annotations

import subprocess
import sys

from support.project import ROOT

from tasks.core import quiet_tensorflow


def stderr_of(code):
    """What this code writes to standard error, in a process of its own."""
    words = [sys.executable, "-c", f"import os, sys; from tasks.core.quiet_tensorflow import *; {code}"]
    return subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False).stderr


def test_native_output_is_dropped_and_python_s_own_is_not():
    code = "\nwith divert_stderr():\n    os.write(2, b'native'); print('python', file=sys.stderr)\n"
    code += "os.write(2, b'after')"
    assert stderr_of(code) == "python\nafter"


def test_native_output_before_an_error_is_printed():
    code = "\ntry:\n    with divert_stderr():\n        os.write(2, b'native'); raise OSError\nexcept OSError: pass"
    assert stderr_of(code) == "native"


def test_it_is_quiet_once(monkeypatch):
    monkeypatch.setattr(sys, "meta_path", [name for name in sys.meta_path if "Quiet" not in type(name).__name__])
    assert not quiet_tensorflow.tensorflow_is_quiet()
    before = len(sys.meta_path)
    quiet_tensorflow.quieten_tensorflow()
    quiet_tensorflow.dask_setup(None)
    assert quiet_tensorflow.tensorflow_is_quiet()
    assert len(sys.meta_path) == before + 1
