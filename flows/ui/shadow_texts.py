"""What the model beside the champion has judged, as an artifact of each run that scored parts."""

from __future__ import annotations

from pathlib import Path

from prefect.artifacts import create_markdown_artifact

from flows.ui.journal_texts import publish_journal
from flows.ui.markdown import markdown_table
from tasks.core.inspection import Proportion, ScoreResult
from tasks.core.json_form import record_of
from tasks.core.text import escape_markdown
from tasks.promotion.shadow_summary import ErrorPair, ShadowSummary
from tasks.report.translation import Translate, translator

MOST_MODES = 12  # that are shown, those that differ most first


def publish_shadow(result: ScoreResult, artifacts: Path, line: str | None, language: str = "en") -> None:
    """Show agreement, flips by mode and both models' errors, and the journal; nothing where no model judged beside."""
    if result.shadow is None:
        return
    summary = record_of(ShadowSummary, result.shadow)
    key = "shadow" if line is None else f"shadow-{line}"
    description = f"{summary.challenger} beside the champion {summary.champion}"
    description = description if line is None else f"{line}: {description}"
    create_markdown_artifact(shadow_text(summary, language), key=key, description=description)
    publish_journal(artifacts, line, language)


def shadow_text(summary: ShadowSummary, language: str = "en") -> str:
    """The agreement so far, errors where labels are known, which verdicts change, and the modes that differ most."""
    say = translator(language)
    heading = say("# SHADOW: {challenger} beside the champion {champion}")
    agreed = say("{count} of {records} verdicts are the same: {share} [{low}, {high}].")
    low, high = map(_share, summary.agreed.interval)
    values = {"count": summary.agreed.count, "records": summary.records, "share": _share(summary.agreed.rate)}
    changes = [[_change(name, say), str(count)] for name, count in _most_first(summary.changes)]
    modes = [[escape_markdown(name), *_cells(rate)] for name, rate in list(summary.modes.items())[:MOST_MODES]]
    heads = [say("mode"), say("verdicts that differ"), say("interval"), say("records")]
    paragraphs = [
        heading.format(challenger=summary.challenger, champion=summary.champion),
        agreed.format(**values, low=low, high=high),
        _errors(summary, say),
        *([markdown_table([say("verdict"), say("records")], changes, "lr")] if changes else []),
        markdown_table(heads, modes, "lrrr"),
    ]
    return "\n\n".join(paragraphs)


def _most_first(counts: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _change(name: str, say: Translate) -> str:
    """`good → defect` in the reader's language."""
    return " → ".join(map(say, name.split(" → ")))


def _errors(summary: ShadowSummary, say: Translate) -> str:
    """Both models' errors on labelled parts that are new to both."""
    pairs = (("escapes", summary.escapes), ("false alarms", summary.false_alarms))
    rows = [[say(name), *_pair_cells(pair)] for name, pair in pairs if pair is not None]
    if not rows:
        return say("No part that is new to both has a label yet.")
    heads = [
        say("by {count} labels").format(count=summary.labelled),
        say("champion"),
        say("challenger"),
        say("challenger − champion, points"),
    ]
    return markdown_table(heads, rows, "lrrr")


def _pair_cells(pair: ErrorPair) -> list[str]:
    low, high = (100 * end for end in pair.interval)
    rates = [
        f"{_share(rate.rate)} [{_share(rate.interval[0])}, {_share(rate.interval[1])}], {rate.count} / {rate.of}"
        for rate in (pair.champion, pair.challenger)
    ]
    return [*rates, f"{100 * pair.difference:+.1f} [{low:+.1f}, {high:+.1f}]"]


def _cells(rate: Proportion) -> list[str]:
    low, high = map(_share, rate.interval)
    return [_share(rate.rate), f"{low} – {high}", f"{rate.count} / {rate.of}"]


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"
