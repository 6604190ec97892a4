"""What people read: tables as wide as the terminal, and in a pipe or a log plain lines without control characters."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO, TypeVar

from tasks.core.errors import UnfitData
from tasks.core.log_lines import say
from tasks.core.results import CommandResult

Result = TypeVar("Result", bound=CommandResult)
PLAIN_WIDTH = 100_000  # without a terminal a row is one line, however long
MAX_UNREAD = 4  # names that are printed; the JSON has all
INDENT = "  "


def replace_unprintable() -> None:
    """Print `?` for a character that the encoding of a stream lacks, such as an arrow in latin-1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def print_result(result: Result, as_json: bool, print_text: Callable[[Result], None]) -> None:
    """Print how a command ended: as one JSON object, or as text."""
    if as_json:
        print(json.dumps(result.as_json()))
    else:
        print_text(result)


def send_champion(artifacts: Path, line: str | None = None) -> None:
    """Tell other systems which release of this folder is champion now; what goes wrong is a line on stderr."""
    from flows.trackers.finished_run import send_champion as send

    send(artifacts, line, lambda text: say(text, "warning"))


def print_unread(names: Sequence[str]) -> None:
    """Print which files of a source look like data and were not read; nothing where all were."""
    if names:
        more = f" and {len(names) - MAX_UNREAD} more" if len(names) > MAX_UNREAD else ""
        print(f"  not read: {', '.join(names[:MAX_UNREAD])}{more}")


def print_findings(error: UnfitData) -> None:
    """Print all checks of unfit data on stderr, the failed ones first."""
    findings = sorted(error.findings, key=lambda finding: (finding.success, not finding.required))
    print(f"checks of {error.source}:", file=sys.stderr)
    print_table([(finding.verdict, finding.name, finding.notes) for finding in findings], stream=sys.stderr)


def print_table(
    rows: Sequence[Sequence[str]], titles: Sequence[str] = (), stream: TextIO | None = None, bold: int | None = None
) -> None:
    """Print rows of texts, under their titles or indented; the row `bold` stands out on a terminal."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    stream = stream or sys.stdout
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=bool(titles))
    for title in titles or [""] * len(rows[0]):
        table.add_column(title)
    for number, row in enumerate(rows):
        table.add_row(*map(Text, row), style="bold" if number == bold else None)
    is_terminal = stream.isatty()
    console = Console(file=stream, force_terminal=is_terminal, width=None if is_terminal else PLAIN_WIDTH)
    with console.capture() as capture:
        console.print(table if titles else Padding(table, (0, 0, 0, len(INDENT))))
    stream.writelines(f"{line.rstrip()}\n" for line in capture.get().splitlines())
