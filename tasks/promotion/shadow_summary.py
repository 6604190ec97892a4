"""What two models that judge the same parts have in common so far: the records that results and artifacts hold."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from tasks.core.inspection import Proportion
from tasks.core.json_form import Json
from tasks.evaluation.comparison_report import Interval


@dataclass(frozen=True)
class ErrorPair:
    """The errors of both on the same labelled records, and challenger less champion; each end holds with 95 %."""

    champion: Proportion
    challenger: Proportion
    difference: float
    interval: Interval


@dataclass(frozen=True)
class ShadowSummary:
    """What a pair of models has judged so far.

    agreed: the same verdict; changes: counts of `champion → challenger`; modes: the share of verdicts that differ, by
    the records' mode (where no mode is known, the champion's nearest). labelled: records with a label that neither
    model was made with; escapes and false_alarms on them, None without defects or good parts.
    """

    champion: str
    challenger: str
    records: int
    agreed: Proportion
    changes: dict[str, int]
    modes: dict[str, Proportion]
    labelled: int
    escapes: ErrorPair | None
    false_alarms: ErrorPair | None

    def as_json(self) -> Json:
        """Plain values."""
        return asdict(self)

    @property
    def sentence(self) -> str:
        """One sentence for the journal."""
        text = f"{self.agreed.count} of {self.records} verdicts agree with the champion {self.champion}"
        for name, pair in (("escapes", self.escapes), ("false alarms", self.false_alarms)):
            if pair is not None:
                rates = f"{100 * pair.champion.rate:.1f} % → {100 * pair.challenger.rate:.1f} %"
                text += f"; {name} {rates} of {pair.champion.of}"
        return text
