"""`kensa history`: all models of a line on one page: is it getting better?"""

from __future__ import annotations

import json
from pathlib import Path

from typer import Option

from kensa.cli.command import with_examples
from kensa.cli.options import ARTIFACTS, AS_JSON, LANGUAGE, line_artifacts
from kensa.cli.terminal import print_table
from tasks.config.run import Language
from tasks.core.errors import BadSetting, UnknownRelease
from tasks.core.text import one_line
from tasks.report.history import LineHistory, Measured, Model
from tasks.report.notice import DETECTION_UNKNOWN

MAX_MODELS = 10  # that are printed, the newest; the page and --json have all
TITLES = ("", "model", "created", "what became of it", "auroc", "escapes", "false alarms", "minus the champion", "test")


@with_examples(
    "kensa history",
    "kensa history --line boards --language ja",
    "kensa history --line all",
    "kensa history --json | jq .champions",
)
def history(
    out: Path | None = Option(
        None, metavar="FILE", help="The page.", show_default="history.html in the folder of the releases"
    ),
    line: str | None = Option(
        None, metavar="NAME", help="A product line of kensa.toml, or all, in place of --artifacts."
    ),
    language: Language | None = LANGUAGE,
    artifacts: Path = ARTIFACTS,
    as_json: bool = AS_JSON,
) -> None:
    """Show all models of a line on one page: is it getting better?

    The page has one picture: each model's figures with intervals, the champion as a band, where the test set changed,
    error rates where labels came later, and verdicts on drift. An interval of "minus the champion" above 0 shows that
    the model is better, on the same test records.
    """
    if line == "all":
        _show_all_lines(out, language, as_json)
        return
    folder = line_artifacts(line, artifacts)
    if not folder.is_dir():
        raise UnknownRelease(f"{folder}: expected a folder of releases, found none; kensa retrain makes it")
    page, line_history = _write(folder, out, language)
    if as_json:
        print(json.dumps({"page": str(page), **line_history.as_json()}))
        return
    _print(page, line_history)


def _show_all_lines(out: Path | None, language: Language | None, as_json: bool) -> None:
    """The page of each line that has releases."""
    from flows.service.lines import read_lines

    if out is not None:
        raise BadSetting("--out: expected one line with it, found all; each has its own page")
    folders = {name: one.config.artifacts_path for name, one in read_lines().by_name.items()}
    written = {name: _write(folder, None, language) for name, folder in folders.items() if folder.is_dir()}
    if as_json:
        print(
            json.dumps(
                {
                    "lines": {
                        name: {"page": str(page), **line_history.as_json()}
                        for name, (page, line_history) in written.items()
                    }
                }
            )
        )
        return
    for name in folders:
        print(f"{name}:" if name in written else f"{name}: no releases yet")
        if name in written:
            _print(*written[name])


def _write(folder: Path, out: Path | None, language: Language | None) -> tuple[Path, LineHistory]:
    from tasks.pages.history import HISTORY_PAGE, write_history
    from tasks.registry.champion import current_champion

    page, champion = out or folder / HISTORY_PAGE, current_champion(folder)
    return page, write_history(folder, page, language or (champion.manifest.language if champion else "en"))


def _print(page: Path, line_history: LineHistory) -> None:
    rows = [_row(model, line_history.champion) for model in line_history.models[-MAX_MODELS:]]
    if rows:
        print_table(rows, TITLES, bold=next((i for i, row in enumerate(rows) if row[0] == "*"), None))
    if len(line_history.models) > MAX_MODELS:
        print(f"{len(line_history.models) - MAX_MODELS} older models; the page and --json have all")
    print(f"page: {page}")


def _row(model: Model, champion: str | None) -> list[str]:
    created = (model.created or "")[:16].replace("T", " ")
    status = ", ".join(filter(None, [model.status, model.people, DETECTION_UNKNOWN if model.zero else None]))
    difference = "" if model.difference.value is None else f"{model.difference.value:+.3f}{_ends(model.difference)}"
    figures = [_measured(entry) for entry in (model.auroc, model.escapes, model.false_alarms)]
    mark = "*" if model.name == champion else ""
    return [mark, model.name, created, one_line(status), *figures, difference, model.frozen or ""]


def _measured(entry: Measured) -> str:
    return "none" if entry.value is None else f"{entry.value:.3f}{_ends(entry)}"


def _ends(entry: Measured) -> str:
    return "" if entry.interval is None else " [{:.3f}, {:.3f}]".format(*entry.interval)
