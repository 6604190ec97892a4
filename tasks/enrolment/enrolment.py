"""What was enrolled, and what it does: the facts of the manifest, and one sentence for people."""

from __future__ import annotations

import datetime
from dataclasses import asdict, dataclass, replace
from typing import Any

from tasks.config.fingerprints import RELEASE_FORMAT
from tasks.core.sentences import Sentence, sentence
from tasks.data.bank import Bank
from tasks.enrolment.lots import LotEvidence
from tasks.enrolment.modes import ModeEvidence
from tasks.enrolment.parts import EnrolledParts
from tasks.enrolment.request import EnrolRequest
from tasks.evaluation.comparison_report import ComparisonSummary
from tasks.evaluation.costs import ErrorRate
from tasks.registry.loading import CalibratedClassifier, LoadedRelease
from tasks.registry.manifest import ReleaseManifest


@dataclass(frozen=True)
class Enrolment:
    """What a new release is made of: the parent, the classifier that learnt, the parts, and what it does.

    bank: the parent's, as far as it is evaluated; source: name and revision of the parts.
    """

    parent: LoadedRelease
    classifier: CalibratedClassifier
    parts: EnrolledParts
    bank: Bank
    kind: str
    name: str
    evidence: ModeEvidence | LotEvidence
    source: tuple[str, str]
    request: EnrolRequest

    @property
    def is_mode(self) -> bool:
        """Whether a mode was enrolled, and no lot."""
        return self.kind == "mode"

    def facts(self) -> dict[str, Any]:
        """What the manifest says under `enrolled`."""
        facts = {"kind": self.kind, "name": self.name, "parts": len(self.parts), "margin": self.request.margin}
        facts |= dict(zip(("source", "revision"), self.source, strict=True)) | asdict(self.evidence)
        if self.is_mode:
            return facts | {"least_recall": self.request.recall}
        cuts = {"before": self.parent.defect_threshold, "after": self.classifier.defect_threshold}
        return facts | {"thresholds": cuts}

    def sentence(self) -> Sentence:
        """What was enrolled, and what it does, in one sentence."""
        names = {"parent": self.parent.version, "name": self.name, "parts": len(self.parts)}
        if self.is_mode:
            recall, changed = self.evidence.recall, self.evidence.changed
            return sentence("enrolled_mode", **names, **_values("recall", recall), **_values("changed", changed))
        before, after = self.evidence.alarms.values()
        return sentence("enrolled_lot", **names, **_values("before", before), **_values("after", after))

    def manifest(self, fingerprint: str) -> ReleaseManifest:
        """The parent's manifest, but for what enrolling changes."""
        manifest = self.parent.manifest
        summary = ComparisonSummary(
            version=self.parent.version,
            frozen=manifest.frozen.version if manifest.frozen else "",
            champion_frozen=None,
            records=len(self.bank.rows("test")),
            seen=None,
            verdict=self.sentence(),
        )
        return replace(
            manifest,
            format=RELEASE_FORMAT,
            reasons=(),
            fingerprint=fingerprint,
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            comparison=summary.as_json(),
            parent={"version": self.parent.version, "fingerprint": manifest.fingerprint},
            recalibrated=None,
            metrics=self._metrics(),
            enrolled=self.facts(),
        )

    def _metrics(self) -> dict[str, float]:
        """The parent's; without those of good or defect for a lot, whose prototype and threshold are others."""
        metrics = self.parent.manifest.metrics
        return {name: value for name, value in metrics.items() if self.is_mode or "good_" not in name}


def _values(name: str, rate: ErrorRate) -> dict[str, Any]:
    return {
        f"{name}_count": rate.count,
        f"{name}_of": rate.of,
        f"{name}_low": 100 * rate.low,
        f"{name}_high": 100 * rate.high,
    }
