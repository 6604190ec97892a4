"""The page of a reviewer: one part with its maps and the nearest records, and a key for each decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.pages.templating import environment
from tasks.pages.verdicts import illustrate
from tasks.registry.loading import LoadedRelease
from tasks.review.choices import RESERVED, ModeChoice
from tasks.review.decisions import Decision
from tasks.review.items import ReviewItem


@dataclass(frozen=True)
class ReviewState:
    """What the page says beside the part. number, count: its place, from 1; decided: of the parts here; waiting:
    decisions that the dataset does not have; source: of the dataset; release, other: names."""

    number: int
    count: int
    decided: int
    waiting: int
    source: str
    release: str
    other: str | None
    takes_pull_requests: bool


def render_review(
    release: LoadedRelease,
    item: ReviewItem,
    choices: Sequence[ModeChoice],
    history: Sequence[Decision],
    state: ReviewState,
    nonce: str,
    language: str,
) -> str:
    """The page as HTML text; history: the decisions of this part, oldest first; nonce: of the page's one script."""
    (case,) = illustrate(release, [item.record])
    return (
        environment(language)
        .get_template("review.html")
        .render(
            item=item,
            case=case,
            choices=choices,
            keys=RESERVED,
            history=history,
            last=history[-1] if history else None,
            state=state,
            nonce=nonce,
            language=language,
        )
    )
