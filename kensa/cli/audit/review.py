"""`kensa review`: a page on which people decide labels; and how the decisions reach the dataset."""

from __future__ import annotations

from pathlib import Path

from typer import Argument, Option

from kensa.cli.command import with_examples
from kensa.cli.options import ARTIFACTS, AS_JSON, BY, DATA, LANGUAGE, LINE, REASON, SOURCE_FORMS, line_artifacts
from kensa.cli.terminal import print_result
from tasks.config.run import Language
from tasks.core.errors import BadSetting


@with_examples(
    "kensa review --line boards",
    "kensa review ./this-week --line boards --random 0.3",
    'kensa review --line boards --publish --pull-request --by "M. Sato"',
)
def review(
    source: list[str] | None = Argument(
        None, metavar="SOURCE", help=f"New parts: {SOURCE_FORMS}.", show_default="those of the line's setting drift"
    ),
    publish: bool = Option(False, "--publish", help="Bring the decisions to the dataset, and end."),
    pull_request: bool = Option(False, "--pull-request", help="With --publish: as a pull request on the Hub."),
    most: int = Option(50, min=1, max=1000, metavar="N", help="Parts of each kind, at most."),
    random: float = Option(0.2, min=0, max=0.9, metavar="SHARE", help="Share of all parts that is picked at random."),
    port: int = Option(4270, min=1, max=65535, metavar="PORT", help="Port to listen on, on this machine alone."),
    by: str | None = BY,
    reason: str | None = REASON,
    line: str | None = LINE,
    language: Language | None = LANGUAGE,
    data: Path = DATA,
    artifacts: Path = ARTIFACTS,
    as_json: bool = AS_JSON,
) -> None:
    """Open a page on which people decide the labels of parts, one key each.

    It shows doubtful labels and, where there are new parts, unknown and uncertain ones, those on which two releases
    differ, and random ones. Decisions are kept as they are made. --publish, or the page, sends them to the dataset as
    one commit, or writes them beside the tables of a folder; the next retraining uses them. Only random parts are
    tested on.
    """
    folder = line_artifacts(line, artifacts)
    if publish:
        _publish(folder, by, reason, pull_request, as_json)
        return
    if pull_request:
        raise BadSetting("--pull-request: expected --publish with it, found none")
    from kensa.review.service import new_token, require_free, serve
    from kensa.review.session import ReviewSession
    from tasks.core.progress import Heartbeat
    from tasks.download import download, resolve
    from tasks.registry.champion import select_release
    from tasks.review.items import Choice
    from tasks.sources.address import join_sources

    require_free(port)
    select_release(folder, None)  # before the libraries, which take seconds
    with Heartbeat("choose the parts"):
        name = join_sources(source) if source else _new_parts(line)
        parts = download(resolve(name, None, data)) if name else None
        session = ReviewSession.open(folder, parts, Choice(most, random), language)
    serve(session, port, new_token())


def _new_parts(line: str | None) -> str | None:
    """The new parts that a line of kensa.toml names, as one word; None where it names none."""
    if line is None:
        return None
    from flows.service.lines import read_lines

    parts = read_lines()[line].drift
    if parts is None:
        return None
    chosen = [f"{name}={value}" for name, value in (("config", parts.config), ("part", parts.part)) if value]
    return f"{parts.source}#{','.join(chosen)}" if chosen else parts.source


def _publish(folder: Path, by: str | None, reason: str | None, pull_request: bool, as_json: bool) -> None:
    from tasks.core.authorship import Authorship
    from tasks.registry.champion import select_release
    from tasks.review.publishing import publish_labels

    author = Authorship.of(by, reason)
    source = select_release(folder, None).manifest.train.source
    result = publish_labels(folder, source, author, pull_request)
    print_result(result, as_json, lambda told: print(f"{told.status}: {told.labels} labels, {told.where}"))
