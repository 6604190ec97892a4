"""What a person reads before deciding on a candidate: the verdict, the parts that change sides, and costs."""

from __future__ import annotations

from collections.abc import Iterator

from prefect.artifacts import create_markdown_artifact

from flows.ui.page_links import page_url
from tasks.config.run import CostConfig
from tasks.core.text import escape_markdown
from tasks.evaluation.comparison_report import ComparisonSummary, RateDifference
from tasks.evaluation.costs import PARTS_PER_COST, has_costs
from tasks.registry.candidates import Candidate
from tasks.registry.releases import Release
from tasks.report.translation import Translate, translator


def publish_candidate(candidate: Candidate, line: str | None, language: str) -> None:
    """The evidence as an artifact of the run that made the candidate."""
    name = candidate.release.version
    say = translator(language)
    cure = f"`kensa approve {name}{f' --line {line}' if line else ''} --by NAME --reason TEXT`"
    head = f"# {say('CANDIDATE')}: {name}"
    lines = [f"- {escape_markdown(sentence)}" for sentence in evidence(candidate.release, say)]
    how = say("To decide: {cure}, or run the deployment `approve/on-demand`.").format(cure=cure)
    key = f"candidate-{line}" if line else "candidate"
    description = f"{line}: {name} waits for approval" if line else f"{name} waits for approval"
    create_markdown_artifact("\n".join([head, "", *lines, "", how]), key=key, description=description)


def evidence(release: Release, say: Translate = str) -> Iterator[str]:
    """The sentences, the verdict first; without a champion there is nothing to compare with."""
    stored = release.manifest.comparison
    if stored is None:
        yield say("The first of its line: there is no champion to compare it with")
    else:
        comparison = ComparisonSummary.from_json(stored)
        yield say(comparison.verdict)
        for name, entry in (("escapes", comparison.escapes), ("false alarms", comparison.false_alarms)):
            if entry is not None:
                yield _errors(name, entry, say)
        yield from _costs(release, comparison, say)
    if release.manifest.zero:
        yield say("It is made from good parts alone: how many defects it finds is not known")
    report = release.path / "report.html"
    yield say("Report: {address}").format(address=page_url(report) or report)


def _errors(name: str, entry: RateDifference, say: Translate) -> str:
    """Both models' errors, and how many parts change sides."""
    text = say("{name}: {before} → {after} of {records}").format(
        name=say(name), before=entry.champion, after=entry.challenger, records=entry.n
    )
    if entry.won is None or entry.lost is None:
        return text
    flips = say("{won} that the champion gets wrong are right, {lost} that it gets right are wrong")
    return f"{text} ({flips.format(won=entry.won, lost=entry.lost)})"


def _costs(release: Release, comparison: ComparisonSummary, say: Translate) -> Iterator[str]:
    """The expected cost of 10 000 parts by each model, where the line states what errors cost."""
    cost = CostConfig(**release.manifest.config.get("cost", {}))
    if not has_costs(cost) or comparison.escapes is None or comparison.false_alarms is None:
        return
    values = [
        PARTS_PER_COST
        * (
            cost.prevalence * cost.escape * getattr(comparison.escapes, who) / comparison.escapes.n
            + (1 - cost.prevalence) * cost.overkill * getattr(comparison.false_alarms, who) / comparison.false_alarms.n
        )
        for who in ("champion", "challenger")
    ]
    text = say("expected cost of {parts:,} parts: {before:,.0f} → {after:,.0f} {currency}")
    yield text.format(parts=PARTS_PER_COST, before=values[0], after=values[1], currency=cost.currency).rstrip()
