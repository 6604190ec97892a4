"""Tables: as wide as the terminal there, and one row a line everywhere else."""

from __future__ import annotations

import io

import pytest

from kensa.cli.terminal import print_result, print_table, replace_unprintable
from tasks.core.results import ExportParity, ExportResult

LONG = "word " * 60


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self):
        return True


def test_a_pipe_gets_one_line_a_row_however_long():
    stream = io.StringIO()
    print_table([("a", "1", LONG), ("long name", "22", "x")], stream=stream)
    assert stream.getvalue() == f"  a          1   {LONG.rstrip()}\n  long name  22  x\n"


def test_titles_stand_above_the_columns():
    stream = io.StringIO()
    print_table([("v1", "0.9")], ["release", "auroc"], stream)
    assert stream.getvalue() == "release  auroc\nv1       0.9\n"


def test_brackets_are_no_markup():
    stream = io.StringIO()
    print_table([("[bold]", "[0.1, 0.2]")], stream=stream)
    assert stream.getvalue() == "  [bold]  [0.1, 0.2]\n"


def test_a_terminal_wraps_and_marks_the_bold_row(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    print_table([("v1", LONG), ("v2", "short")], ["release", "why"], stream, bold=1)
    lines = stream.getvalue().splitlines()
    assert len(lines) > 3
    assert [("\x1b[1m" in line, "v2" in line) for line in lines][-1] == (True, True)


@pytest.mark.parametrize(("as_json", "expected"), [(True, '{"status": "exported"'), (False, "text")])
def test_a_result_is_json_or_text(capsys, as_json, expected):
    result = ExportResult("exported", "v1", "onnx", "exports", ExportParity(1e-5, 3, 1e-7))
    print_result(result, as_json, lambda result: print("text"))
    assert capsys.readouterr().out.startswith(expected)


def test_what_the_stream_cannot_encode_becomes_a_question_mark(monkeypatch):
    buffer = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(buffer, encoding="latin-1"))
    replace_unprintable()
    print("1 → 2", flush=True)
    assert buffer.getvalue() == b"1 ? 2\n"
