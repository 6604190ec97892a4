"""`kensa enrol`: a mode or a lot for a release, without training."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from typer import Argument, Option

from kensa.cli.command import with_examples
from kensa.cli.options import (
    ARTIFACTS,
    AS_JSON,
    BY,
    CONFIG,
    DATA,
    LINE,
    PART,
    REASON,
    RELEASE,
    SOURCE_FORMS,
    VERIFY_KEY,
    line_artifacts,
    line_data,
)
from kensa.cli.terminal import print_result, print_table, send_champion
from tasks.core.authorship import Authorship
from tasks.enrolment.request import EnrolRequest, EnrolResult

TITLES = {
    "recall": "nearest to the mode, left out",
    "named": "defect of the mode, left out",
    "stopped": "not called good",
    "changed": "verdicts on test records changed",
    "alarms": "good parts of the lot stopped",
    "escapes": "defects of other lots passed",
}


@with_examples(
    "kensa enrol mode ./solder-bridges --name bridge",
    'kensa enrol mode defects.csv --name bridge --line boards --promote --reason "new defect since Monday"',
    "kensa enrol lot ./lot-17 --name 17",
)
def enrol(
    what: Literal["mode", "lot"] = Argument(metavar="WHAT", help="mode or lot."),
    source: str = Argument(metavar="SOURCE", help=f"The labelled parts: {SOURCE_FORMS}."),
    name: str | None = Option(
        None, metavar="NAME", help="The new mode, or the lot's group.", show_default="the source's only group"
    ),
    margin: float = Option(0.05, metavar="SHARE", help="Share of the release's verdicts that may change."),
    recall: float = Option(
        0.8, metavar="SHARE", help="Share of a mode's parts that must be nearest to it when each is left out."
    ),
    release: str | None = RELEASE,
    promote: bool = Option(False, "--promote", help="Make the new release the champion."),
    config: str | None = CONFIG,
    part: str | None = PART,
    good: str | None = Option(
        None, metavar="LABEL", help="Label of a good part in the source.", show_default="the release's own"
    ),
    by: str | None = BY,
    reason: str | None = REASON,
    line: str | None = LINE,
    verify_key: Path | None = VERIFY_KEY,
    data: Path = DATA,
    artifacts: Path = ARTIFACTS,
    as_json: bool = AS_JSON,
) -> None:
    """Add a mode or a lot to a release, without training.

    Five labelled parts or more give a mode its prototype; ten good parts of a lot adapt the good prototype and the
    threshold to it. The result is a new release, which names the old one as its parent. It is refused where too many
    verdicts on the test records change, or too few parts of the mode are nearest to it when left out.
    """
    request = EnrolRequest(what, name, margin, recall, config, part, good)
    author, folder = Authorship.of(by, reason), line_artifacts(line, artifacts)
    from kensa.libraries import set_defaults
    from tasks.core.progress import Heartbeat
    from tasks.download import download, resolve
    from tasks.registry.champion import select_release

    set_defaults()
    stages = line_data(line, data)
    with Heartbeat("enrol"):
        parts = download(resolve(source, None, stages))
        select_release(folder, release)  # before the libraries, which take seconds
        from tasks.enrol import enrol as learn

        result = learn(parts, folder, stages, request, release, promote, author)
    if promote:
        send_champion(folder, line)
    print_result(result, as_json, _print_result)


def _print_result(result: EnrolResult) -> None:
    facts = result.facts
    print(f"{result.status}: {result.release}  ({result.path})")
    print(f"  {result.parent} with the {result.kind} {result.name}, from {facts['parts']} parts")
    print_table([row for key, title in TITLES.items() for row in _rows(title, facts.get(key))])
    if result.kind == "lot":
        print("  threshold {before:.4g} → {after:.4g}".format(**facts["thresholds"]))
    verb = "approve" if result.status == "candidate" else "promote"
    hint = "" if result.champion == result.release else f"; kensa {verb} {result.release} makes it the champion"
    print(f"  champion {result.champion}{hint}")


def _rows(title: str, rate: Any) -> list[tuple[str, ...]]:
    """A line of a share; two of one that has a value before and after."""
    if not rate:
        return []
    if "before" in rate:
        return [row for when in ("before", "after") for row in _rows(f"{title}, {when}", rate[when])]
    interval = "[{low:.3f}, {high:.3f}]".format(**rate)
    return [(title, f"{rate['value']:.3f}", interval, f"{rate['count']:,} of {rate['of']:,}")]
