"""One review: the parts that are shown, and what is done with a reviewer's answer. It knows nothing of HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tasks.core.authorship import MAX_NAME as MAX_BY
from tasks.core.authorship import Authorship
from tasks.core.errors import BadSetting, NothingToReview
from tasks.core.json_form import Json
from tasks.core.results import DownloadedSource
from tasks.pages.review import ReviewState, render_review
from tasks.registry.candidates import waiting_candidate
from tasks.registry.loading import LoadedRelease, load_release
from tasks.registry.pointer import champion_state
from tasks.review.choices import MAX_NAME, ModeChoice, defect_label, mode_choices
from tasks.review.decisions import Decision, decide, decisions_of, map_text, standing, unpublished, write_down
from tasks.review.items import Choice, ReviewItem, collect_items
from tasks.review.publishing import publish_labels, require_publishable


@dataclass(frozen=True)
class ReviewSession:
    """artifacts: the line's folder; source: the dataset that takes the labels; items: the parts, one at least."""

    artifacts: Path
    source: str
    release: LoadedRelease
    other: LoadedRelease | None
    items: list[ReviewItem]
    language: str = "en"

    @classmethod
    def open(
        cls, artifacts: Path, parts: DownloadedSource | None, choice: Choice, language: str | None = None
    ) -> ReviewSession:
        """Choose the parts by the champion. parts: new ones, None for the champion's doubtful labels alone.

        Raises what loading a release and scoring do, BadSetting where the champion's training source takes no labels,
        and NothingToReview.
        """
        release = load_release(artifacts)
        write_down(artifacts)
        source = release.manifest.train.source
        require_publishable(source)
        name = _other_release(artifacts)
        other = load_release(artifacts, name) if name else None
        items = collect_items(release, other, parts, choice)
        if not items:
            raise NothingToReview(
                f"{artifacts}: expected parts to look at, found none: no label of {release.version} is doubtful; name "
                "new parts as SOURCE"
            )
        return cls(artifacts, source, release, other, items, language or release.language)

    @cached_property
    def choices(self) -> list[ModeChoice]:
        """What a reviewer can say."""
        return mode_choices(self.release)

    def first_open(self) -> int:
        """The number of the first part on which nobody decided, else of the first."""
        decided = standing(decisions_of(self.artifacts))
        return next((i for i, item in enumerate(self.items, 1) if item.key not in decided), 1)

    def page(self, number: int, nonce: str) -> str:
        """The page of a part, from 1 to the number of parts."""
        item, decisions = self.items[number - 1], decisions_of(self.artifacts)
        decided = standing(decisions)
        state = ReviewState(
            number=number,
            count=len(self.items),
            decided=sum(one.key in decided for one in self.items),
            waiting=len(unpublished(self.artifacts)),
            source=self.source,
            release=self.release.version,
            other=self.other and self.other.version,
            takes_pull_requests=require_publishable(self.source) is not None,
        )
        history = [entry for entry in decisions if entry.record == item.key]
        return render_review(self.release, item, self.choices, history, state, nonce, self.language)

    def decide(self, values: Json) -> Json:
        """Keep an answer: `record`, `mode` (None takes back), `by`, `known`; raises BadSetting for another form.

        Raises DecidedMeanwhile, and what keeping a decision does. Returns the number of the next part.
        """
        by, mode = _text(values, "by", MAX_BY), values.get("mode")
        if mode is not None:
            mode = _text(values, "mode", MAX_NAME)
        known = values.get("known")
        if type(known) is not int or known < 0:
            raise BadSetting("known: expected how many decisions of the part were seen")
        place = next((i for i, item in enumerate(self.items) if item.key == values.get("record")), None)
        if place is None:
            raise BadSetting("record: expected one of the parts that are shown")
        kept = decide(self.artifacts, self._decision(self.items[place], mode, by), known)
        number = place + 1 if mode is None else min(place + 2, len(self.items))
        return {"kept": kept.number, "next": number}

    def decisions_on(self, record: str) -> int:
        """How many decisions there are on a part."""
        return sum(entry.record == record for entry in decisions_of(self.artifacts))

    def _decision(self, item: ReviewItem, mode: str | None, by: str) -> Decision:
        record = item.record
        return Decision(
            record=item.key,
            map=map_text(record.map),
            mode=mode,
            label=None if mode is None else self._label(mode, record.label),
            by=by,
            kind=item.kind,
            picked=item.picked,
            new=item.new,
            part=record.id,
            group=record.group,
            was_label=record.label,
            was_mode=record.mode,
        )

    def _label(self, mode: str, present: str | None) -> str:
        """The label of a mode; a defect keeps the one that it has."""
        good = self.release.data.good
        choice = next((one for one in self.choices if one.mode == mode), None)
        if choice is not None and choice.good:
            return choice.label
        return present if present not in (None, good) else defect_label(good)

    def publish(self, values: Json) -> Json:
        """Bring all decisions to the dataset; raises BadSetting, NothingToPublish, and what the Hub's client does."""
        pull_request = values.get("pull_request", False)
        if not isinstance(pull_request, bool):
            raise BadSetting("pull_request: expected true or false")
        author = Authorship.of(_text(values, "by", MAX_BY))
        return publish_labels(self.artifacts, self.source, author, pull_request).as_json()


def _text(values: Json, name: str, most: int) -> str:
    text: Any = values.get(name)
    plain = " ".join(text.split()) if isinstance(text, str) else ""
    if not plain or len(plain) > most or not plain.isprintable():
        raise BadSetting(f"{name}: expected 1 to {most} printable characters")
    return plain


def _other_release(artifacts: Path) -> str | None:
    """The candidate that waits, or else the champion before; None without either."""
    waiting = waiting_candidate(artifacts)
    if waiting is not None:
        return waiting.release.version
    history = champion_state(artifacts).history
    return history[-2] if len(history) > 1 else None
