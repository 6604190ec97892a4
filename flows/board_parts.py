"""What the Prefect UI shows of new parts: verdicts and drift; the other half of board.py."""

from __future__ import annotations

from pathlib import Path

from prefect.artifacts import create_markdown_artifact

from tasks.endings import Drifted, Scored
from tasks.language import translator
from tasks.lines import Line
from tasks.markdown import drift_lines, safe, verdict_lines


def verdicts(scored: Scored, language: str = "en") -> None:
    """How many records of a source are good, defect and unknown, what that is worth, and where the reasons lie."""
    say, page = translator(language), Path(scored.page or scored.path).resolve()
    lines = [
        say("{source} at `{revision}`, judged by **{release}**:").format(
            source=safe(scored.source), revision=scored.revision[:12], release=scored.release
        ),
        *(f"- {say(name)}: **{count}**" for name, count in scored.counts.items()),
        *verdict_lines(scored, say),
        f"[{say('Why')}]({page.as_uri()}) (`{page}`), {say('all verdicts')}: `{Path(scored.path).resolve()}`",
    ]
    create_markdown_artifact("\n\n".join(lines), key="verdicts", description=f"Verdicts by {scored.release}")


def drifted(found: Drifted, line: Line) -> None:
    """Whether new parts look like the reference, what speaks for it, and where the page lies."""
    page = Path(found.page).resolve()
    told = drift_lines(found, translator(line.config.report.language))
    lines = [*told, f"[Page]({page.as_uri()}) (`{page}`)"]
    create_markdown_artifact(
        "\n\n".join(lines), key=f"drift-{line.name}", description=f"{found.standing}: {safe(found.source)}"
    )
