"""Every line on standard error is an entry: whatever wrote it, and in whichever process."""

from __future__ import annotations

import contextlib
import datetime
import io
import json
import logging
import subprocess
import sys

import pytest
from support.project import ROOT

from tasks.core.log_lines import JsonHandler, JsonStream, log_of_run

KEYS = {"time", "level", "logger", "message", "line", "run"}
PROGRAM = """
import logging, os, subprocess, sys, threading, warnings
from tasks.core.log_lines import log_of_run, say, wrap_other_lines, write_json
wrap_other_lines()
write_json()
"""


def entries(text):
    """Each line of a log, which must be an entry."""
    found = [json.loads(line) for line in text.splitlines()]
    for entry in found:
        assert entry.keys() >= KEYS, entry
        assert datetime.datetime.fromisoformat(entry["time"]).tzinfo == datetime.UTC
    return found


def run(code):
    """A program that writes its log as JSON; its exit code and entries."""
    words = [sys.executable, "-c", PROGRAM + code]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False, timeout=60)
    return done.returncode, entries(done.stderr)


def said(code):
    return [entry["message"] for entry in run(code)[1]]


@pytest.fixture
def log():
    """Standard error as entries, within `with`; the text that is written."""
    return contextlib.redirect_stderr(JsonStream(io.StringIO()))


def test_a_line_is_written_once_its_end_has_come(log):
    with log as stream:
        stream.write("ka")
        assert stream.stream.getvalue() == ""
        print("pa\n\n検査\r\nhalf", file=sys.stderr, end="")
        text = stream.stream.getvalue()
    assert [entry["message"] for entry in entries(text)] == ["kapa", "検査"]
    assert text.isascii()


def test_entries_name_the_line_and_the_run_of_the_moment(log):
    with log as stream:
        with log_of_run("boards", "r1"):
            print("one", file=sys.stderr)
            with log_of_run("nihon", "r2"):
                print("two", file=sys.stderr)
            print("three", file=sys.stderr)
        print("four", file=sys.stderr)
    found = [(entry["line"], entry["run"]) for entry in entries(stream.stream.getvalue())]
    assert found == [("boards", "r1"), ("nihon", "r2"), ("boards", "r1"), (None, None)]


def test_a_record_has_its_level_its_logger_its_run_and_its_traceback(log):
    logger = logging.Logger("prefect.flow_runs")
    logger.addHandler(JsonHandler(stream=None, styles={"any": "style"}))
    with log as stream:
        try:
            raise ValueError("two\nlines")
        except ValueError:
            logger.exception("it %s", "failed", extra={"flow_run_id": "r9"})
    (entry,) = entries(stream.stream.getvalue())
    assert (entry["level"], entry["logger"], entry["message"]) == ("error", "prefect.flow_runs", "it failed")
    assert entry["run"] == "r9"
    assert entry["exception"].startswith("Traceback")
    assert entry["exception"].endswith("ValueError: two\nlines\n")


def test_an_error_that_nobody_caught_is_one_entry():
    code, found = run("say('before')\nraise RuntimeError('no\\nroom')")
    assert code == 1
    assert [(entry["level"], entry["message"]) for entry in found] == [
        ("info", "before"),
        ("critical", "RuntimeError: no\nroom"),
    ]
    assert found[1]["exception"].startswith("Traceback")


def test_what_threads_libraries_native_code_and_other_programs_write_are_entries():
    code = """
warnings.warn('a warning')
logging.getLogger('some.library').warning('from a library')
thread = threading.Thread(target=lambda: 1 / 0)
thread.start(); thread.join()
os.write(2, b'native\\n\\xff\\n')
subprocess.run(['sh', '-c', 'echo child >&2'])
os.write(2, b'no end')
"""
    found = {entry["message"].splitlines()[0]: entry for entry in run(code)[1]}
    assert found["from a library"]["logger"] == "some.library"
    assert found["ZeroDivisionError: division by zero"]["level"] == "critical"
    assert any("UserWarning: a warning" in message for message in found)
    assert {"native", "\ufffd", "child", "no end"} <= {name for name in found if found[name]["logger"] == "stderr"}


def test_what_looks_like_an_entry_and_is_none_is_wrapped():
    assert said("""os.write(2, b'{"message": "cut off\\n{1}\\n[1]\\n')""") == ['{"message": "cut off', "{1}", "[1]"]


def test_a_process_that_is_killed_has_said_all(tmp_path):
    assert said("say('last words'); os.write(2, b'native'); os._exit(9)") == ["last words", "native"]
