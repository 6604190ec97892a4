"""What libraries say about themselves stays off the terminal; what fails, and what Python prints, does not."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from support.project import ROOT

from kensa import libraries


def stderr_of(code, **env):
    """What this code writes to standard error, in a process of its own."""
    words = [sys.executable, "-c", f"import os, sys; from kensa.libraries import *; {code}"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, env={**os.environ, **env}, check=False)
    return done.stderr


@pytest.mark.slow
def test_tensorflow_is_imported_in_silence_unless_it_is_wanted():
    retraced = "import tensorflow; tensorflow.get_logger().warning('retracing')"
    assert stderr_of(f"set_defaults(); silence(); {retraced}") == ""
    assert "retracing" in stderr_of(f"set_defaults(); {retraced}")
    assert "oneDNN" in stderr_of("set_defaults('0'); import tensorflow", TF_ENABLE_ONEDNN_OPTS="1")


def test_a_store_that_is_not_reached_writes_no_traceback_of_its_own():
    failing = "import logging; logging.getLogger('gcsfs').error('out of retries')"
    assert stderr_of(f"silence(); {failing}") == ""
    assert "out of retries" in stderr_of(failing)


@pytest.fixture(autouse=True)
def restored_environment(monkeypatch):
    """The settings of this process as they were before the test."""
    monkeypatch.setattr(os, "environ", os.environ.copy())


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "127.0.0.1,localhost,::1"),
        ({"NO_PROXY": "hub.local, 10.0.0.0/8"}, "hub.local,10.0.0.0/8,127.0.0.1,localhost,::1"),
        ({"NO_PROXY": "upper", "no_proxy": "lower"}, "lower,127.0.0.1,localhost,::1"),
        ({"no_proxy": "localhost,127.0.0.1"}, "localhost,127.0.0.1,::1"),
        ({"NO_PROXY": "*"}, "*,127.0.0.1,localhost,::1"),
    ],
)
def test_this_machine_is_reached_past_every_proxy(monkeypatch, variables, expected):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    libraries.set_defaults()
    libraries.set_defaults()
    assert os.environ["NO_PROXY"] == os.environ["no_proxy"] == expected


def test_the_environment_wins_over_the_defaults(monkeypatch):
    for name in (*libraries.DEFAULTS, "TF_CPP_MIN_LOG_LEVEL", "PREFECT_LOGGING_LEVEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_VERBOSITY", "debug")
    monkeypatch.setenv("PREFECT_API_URL", "")
    libraries.set_defaults()
    assert os.environ["HF_HUB_VERBOSITY"] == "debug"
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "3"
    assert "PREFECT_API_URL" not in os.environ


@pytest.mark.parametrize(
    ("typed", "console", "logging", "expected"),
    [
        (None, None, None, ("WARNING", None)),
        (None, None, "INFO", ("INFO", "INFO")),
        (None, "ERROR", "INFO", ("ERROR", "INFO")),
        ("debug", "ERROR", "INFO", ("DEBUG", "DEBUG")),
        ("error", None, None, ("ERROR", None)),
    ],
)
def test_the_level_of_the_log_is_the_typed_one_then_the_environment_s(monkeypatch, typed, console, logging, expected):
    names = (libraries.CONSOLE_LEVEL, "PREFECT_LOGGING_LEVEL")
    for name, value in zip(names, (console, logging), strict=True):
        monkeypatch.setenv(name, value or "")
        if value is None:
            monkeypatch.delenv(name)
    libraries.log_prefect(typed, default="warning")
    assert tuple(os.environ.get(name) for name in names) == expected
