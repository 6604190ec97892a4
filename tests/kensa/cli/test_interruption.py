"""Ctrl-C and SIGTERM, sent as a terminal and an operator send them."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest
from support.inspected_parts import COLS, ROWS, map_column
from support.project import BIN, ROOT

from kensa.cli.interruption import MESSAGE, Interruptions


def interrupt(body, number):
    """How a small program ends that says `ready`, does this, and gets the signal twice."""
    code = "import time; from kensa.cli.interruption import Interruptions\n"
    code += f"with Interruptions(grace=0.3) as seen:\n{body}"
    words = [sys.executable, "-c", code]
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    process.send_signal(number)
    _, err = process.communicate(timeout=10)
    return process.returncode, err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_command_that_cannot_tidy_up_in_time_is_ended_with_one_line(number, code):
    body = "    try:\n        print('ready', flush=True); time.sleep(60)\n    finally:\n        time.sleep(60)"
    assert interrupt(body, number) == (code, f"{MESSAGE}\n")


def test_the_line_is_not_said_twice_where_the_process_ends_slowly():
    body = "    try:\n        print('ready', flush=True); time.sleep(60)\n"
    body += "    except KeyboardInterrupt:\n        seen.say(); time.sleep(60)"
    assert interrupt(body, signal.SIGINT) == (130, f"{MESSAGE}\n")


def test_afterwards_signals_mean_what_they_meant_before():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with Interruptions():
        assert signal.getsignal(signal.SIGTERM) not in before
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert signal.set_wakeup_fd(-1) == -1


@pytest.mark.slow
def test_ctrl_c_in_a_terminal_ends_a_training_at_once_and_the_next_run_goes_on(place, hidden):
    """The terminal sends it to the temporary server too, which must live until the flow has told it."""
    (place.folder / "set").mkdir()
    pq.write_table(map_column(hidden(140)), place.folder / "set" / "parts.parquet")
    settings = [f"data.rows={ROWS}", f"data.cols={COLS}", "fit.epochs=300", "fit.patience=300"]
    words = ["retrain", "--train", "./set", *(word for setting in settings for word in ("--set", setting))]
    code, seconds, text = in_terminal(place, words, "epoch   2/")
    assert (code, text.count("kensa:"), "Traceback" in text, "Crash" in text) == (130, 1, False, False), text
    assert MESSAGE in text
    assert seconds < 10, "five, on a machine that does nothing else"
    assert [path for path in place.left_over() if not path.name.startswith(".training-")] == []
    assert len([path for path in place.left_over() if path.name.startswith(".training-")]) == 1, "where it goes on"


def in_terminal(place, words, until):
    """Run a command in a terminal of its own, and type Ctrl-C once it has printed `until`."""
    pid, terminal = pty.fork()
    if not pid:
        os.chdir(place.folder)
        os.execve(BIN / "kensa", ["kensa", *words], place.env)
    text, sent = "", None
    while sent is None or time.monotonic() - sent < 60:
        if select.select([terminal], [], [], 1)[0]:
            try:
                text += os.read(terminal, 65536).decode(errors="replace")
            except OSError:
                break  # nobody has the terminal any more
        if sent is None and until in text:
            os.write(terminal, b"\x03")
            sent, text = time.monotonic(), ""
    seconds = time.monotonic() - sent
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seconds, text
