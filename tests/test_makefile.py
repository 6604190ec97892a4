"""What `make` installs when: the Makefile itself, with a Python and a uv that only write down how they are called."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from support.project import ROOT

STUB = """#!/bin/sh
case "$*" in
  "-m venv .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python && cp "$0" .venv/bin/uv;;
  *"pip sync"*) [ -z "$FAIL" ] || exit 1
    echo "$*" | tr ' ' '\\n' | sed -n 's,^[a-z/]*/\\(.*\\).lock,\\1,p' | xargs >> syncs;;
  venv*) for folder; do :; done; mkdir -p "$folder";;
esac
"""
EXTRAS = "dask dev docs gs http jax lineage mlflow notebook onnx photos s3 serve sign tensorboard"
ALL = ["line", *EXTRAS.split()]
SERVER = ["mlflow_server"]  # an environment of its own


class Checkout:
    """A copy of the Makefile and the locks; `make` returns what was installed at each call of uv since the last."""

    def __init__(self, folder):
        self.folder, self.python = folder, folder / "python"
        for name in ("Makefile", "pyproject.toml"):
            shutil.copy(ROOT / name, folder)
        shutil.copytree(ROOT / "requirements", folder / "requirements")
        (folder / "tests" / "support").mkdir(parents=True)
        shutil.copy(ROOT / "tests" / "support" / "mlflow_server.lock", folder / "tests" / "support")
        self.python.write_text(STUB)
        self.python.chmod(0o755)

    def run(self, *words, **env):
        """The finished process."""
        command = ["make", f"PYTHON={self.python}", *words]
        env = {**os.environ, "MAKEFLAGS": "", "EXTRAS": "", **env}
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, env=env, check=False)

    def make(self, *words):
        """The locks that uv got, a list for each call."""
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return self.syncs()

    def syncs(self):
        """What uv was given since the last look."""
        log = self.folder / "syncs"
        lines = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
        log.unlink(missing_ok=True)
        return lines


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path)


def test_the_line_is_installed_once_and_without_extras(checkout):
    assert checkout.make("setup") == [["line"]]
    assert checkout.make("setup") == []


def test_an_extra_is_added_and_stays(checkout):
    checkout.make("setup")
    assert checkout.make("setup", "EXTRAS=photos onnx") == [["line", "onnx", "photos"]]
    assert checkout.make("setup", "EXTRAS=photos") == checkout.make("setup") == []
    assert checkout.make("setup", "EXTRAS=s3") == [["line", "onnx", "photos", "s3"]]


def test_the_tests_need_everything_and_the_line_keeps_it(checkout):
    checkout.make("setup")
    assert checkout.make("everything") == [ALL, SERVER]
    assert checkout.make("setup") == checkout.make("everything") == []


@pytest.mark.parametrize("target", ["test", "test-fast", "lint", "bench", "figures", "faults"])
def test_what_needs_everything_asks_for_it(checkout, target):
    assert "make setup EXTRAS" in checkout.run("-n", target).stdout.replace("make --no-print-directory", "make")


def test_a_new_lock_is_installed_with_the_extras_that_are_there(checkout):
    checkout.make("setup", "EXTRAS=photos")
    os.utime(checkout.folder / "requirements" / "jax.lock", (4e9, 4e9))
    assert checkout.make("setup") == []
    os.utime(checkout.folder / "requirements" / "line.lock")
    assert checkout.make("setup") == [["line", "photos"]]


def test_a_new_lock_of_the_server_renews_its_environment_alone(checkout):
    checkout.make("everything")
    os.utime(checkout.folder / "tests" / "support" / "mlflow_server.lock", (4e9, 4e9))
    assert checkout.make("everything") == [SERVER]


def test_an_installation_that_failed_is_done_again(checkout):
    checkout.make("setup")
    assert checkout.run("setup", "EXTRAS=photos", FAIL="1").returncode == 2
    assert checkout.make("setup") == [["line", "photos"]]


def test_an_unknown_extra_is_named_with_those_that_there_are(checkout):
    done = checkout.run("setup", "EXTRAS=fotos jax")
    assert done.returncode == 2
    assert f"EXTRAS: expected some of {' '.join(ALL[1:])}, with spaces between, found fotos" in done.stderr
    assert not (checkout.folder / ".venv").exists()
