"""Champion and challenger on the same records of one frozen set, and the model against the raw map on them.

Whatever goes wrong here, the comparison is `impossible`, for which the gate rejects: the champion stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tasks.config.run import RunConfig
from tasks.core.errors import NotComparable
from tasks.core.json_form import Json
from tasks.core.sentences import sentence
from tasks.core.text import one_line
from tasks.data.bank import Bank
from tasks.evaluation.comparison_report import Basis, Comparison
from tasks.evaluation.evaluation_report import RawMapGain
from tasks.evaluation.metrics import pair_metrics
from tasks.evaluation.scored_records import ScoredRecords, score_bank_part
from tasks.promotion.paired_metrics import (
    paired_difference,
    paired_resampling,
    paired_result,
    paired_scores,
    with_false_alarms,
    with_good_or_defect,
)
from tasks.promotion.paired_rates import AnomalyScores
from tasks.promotion.spending import spent_confidence
from tasks.registry.loading import load_classifier
from tasks.registry.manifest import FrozenSet
from tasks.registry.record_bank import RecordKeys
from tasks.registry.release_files import (
    DEFECT_THRESHOLD,
    UNREADABLE_RELEASE,
    ClassifierArrays,
    SplitRecords,
    ThresholdSettings,
)
from tasks.registry.releases import Release


def compare_with_champion(
    champion: Release,
    challenger: ScoredRecords,
    config: RunConfig,
    frozen: FrozenSet,
    threshold: float | None = None,
    number: int = 1,
) -> Comparison:
    """Challenger and champion on the same records of the frozen set, in the modes that both know.

    Where one of them is made from good parts alone, they are compared in good or defect, whatever the mode; where both
    are, in false alarms alone.

    threshold: the challenger's between good and defect, None where it has none; the champion's is in its release.
    number: which comparison with this champion it is, from 1.
    """
    champion_frozen = champion.manifest.frozen
    comparison = Comparison(
        version=champion.version,
        frozen=frozen.version,
        champion_frozen=champion_frozen and champion_frozen.version,
        test_records=len(challenger),
    )
    try:
        shared = _shared_records(champion, challenger.bank)
        comparison = replace(comparison, records=len(shared.rows), **shared.exclusions())
        if shared.impossible:
            return comparison
        challenger_outputs = _judge(challenger, shared, "this model", threshold)
        champion_outputs = _judge_champion(champion, shared, challenger.bank)
    except NotComparable as error:
        return replace(comparison, impossible=error.args[0])
    bank = challenger.bank
    resampling, good = paired_resampling(bank, shared.rows, config), bank.good[shared.rows]
    if config.gate.spend:
        resampling = replace(resampling, deciding_confidence=spent_confidence(config.gate.confidence, number))
    distances = challenger_outputs.distances, champion_outputs.distances
    if shared.basis == "modes":
        mode = np.array([shared.modes.index(bank.modes[code]) for code in bank.mode[shared.rows]])
        result = paired_result(*distances, mode, shared.modes, resampling)
    else:
        result = paired_scores(challenger_outputs.scores.score, champion_outputs.scores.score, resampling)
    if challenger_outputs.scores and champion_outputs.scores and 0 < good.sum() < len(good):
        result = with_good_or_defect(result, challenger_outputs.scores, champion_outputs.scores, good, resampling)
    if shared.basis == "good":
        result = with_false_alarms(result, challenger_outputs.scores, champion_outputs.scores, resampling)
    return replace(comparison, result=replace(result, number=number))


def raw_map_gain(model: ScoredRecords, raw_maps: Sequence[ScoredRecords], config: RunConfig) -> RawMapGain:
    """What the model has over the best raw-map baseline in `gate.figure`, on the same test records and resamples.

    raw_maps: the baselines; all see the same rows of one bank, and have the modes of `model`.
    """
    metric, mode = config.gate.figure, model.mode
    best = max(raw_maps, key=lambda records: getattr(pair_metrics(records.distances, mode), metric))
    resampling = paired_resampling(model.bank, model.rows, config)
    difference = paired_difference(metric, model.distances, best.distances, mode, resampling)
    return RawMapGain(
        baseline=best.classifier.name,
        metric=metric,
        difference=difference.difference,
        interval=difference.interval,
        confidence=resampling.confidence,
        unit=resampling.unit,
    )


def _shared_records(champion: Release, bank: Bank) -> ComparableRecords:
    try:
        return comparable_records(champion, bank)
    except UNREADABLE_RELEASE as error:
        raise _unusable(champion, error) from error


@dataclass(frozen=True)
class ModelOutputs:
    """What a model says of the shared records: distances (n, modes) and scores, None where it knows no good parts."""

    distances: np.ndarray
    scores: AnomalyScores | None


def _judge_champion(champion: Release, shared: ComparableRecords, bank: Bank) -> ModelOutputs:
    try:
        # all test records, as the challenger embeds them: in other batches a tower's last digits are others
        records = score_bank_part(load_classifier(champion), bank, "test")
        threshold = ThresholdSettings.load(champion.path).by_name.get(DEFECT_THRESHOLD)
        return _judge(records, shared, f"the champion {champion.version}", threshold and threshold.value)
    except UNREADABLE_RELEASE as error:
        raise _unusable(champion, error) from error


def _unusable(champion: Release, error: Exception) -> NotComparable:
    reason = one_line(f"{type(error).__name__}: {error}")
    return NotComparable(
        f"{champion.path.name} cannot be used ({reason}); promote a release that can, or use another --artifacts"
    )


def _judge(records: ScoredRecords, shared: ComparableRecords, who: str, threshold: float | None) -> ModelOutputs:
    """The outputs of a model for the shared records and modes; raises NotComparable where they are no numbers."""
    columns = [records.classifier.modes.index(mode) for mode in shared.modes]
    compared = records.take(np.isin(records.rows, shared.rows))
    distances = compared.distances[:, columns]
    scores = AnomalyScores(compared.score, threshold) if records.classifier.knows_good else None
    if not np.isfinite(distances).all() or (scores and not np.isfinite(scores.score).all()):
        raise NotComparable(f"{who} gives distances that are no finite numbers")
    return ModelOutputs(distances, scores)


MIN_COMPARED = 20  # test records below which two models cannot be told apart


@dataclass(frozen=True)
class ComparableRecords:
    """The test records that are fair to a champion, and what is left out.

    rows: (n,) rows of the bank; modes: those with such records, in the bank's order, none where modes are not compared.
    The other fields are those of Comparison.
    """

    rows: np.ndarray
    modes: list[str]
    basis: Basis
    seen: int
    unknown: int
    lost: tuple[str, ...]
    unjudged: tuple[str, ...]
    impossible: str | None

    def exclusions(self) -> Json:
        """The fields of Comparison."""
        return {name: getattr(self, name) for name in ("seen", "unknown", "lost", "unjudged", "impossible", "basis")}


def comparable_records(release: Release, bank: Bank) -> ComparableRecords:
    """The test records that the champion has not seen: others would flatter it."""
    split = SplitRecords.load(release.path)
    seen = RecordKeys(split.hash, split.is_seen).find(bank.hash[bank.rows("test")]) >= 0
    known_modes = ClassifierArrays.load(release.path).modes
    rows = bank.rows("test")
    if len(known_modes) < 2 or len(bank.modes) < 2:
        return _without_modes(known_modes, bank, rows[~seen], int(seen.sum()))
    both = np.isin(np.array(bank.modes)[bank.mode[rows]], known_modes)
    fair = rows[~seen & both]
    modes = [bank.modes[code] for code in np.unique(bank.mode[fair])]
    enough = len(modes) >= 2 and len(fair) >= MIN_COMPARED
    return ComparableRecords(
        rows=fair,
        modes=modes,
        basis="modes",
        seen=int(seen.sum()),
        unknown=int((~seen & ~both).sum()),
        lost=tuple(mode for mode in known_modes if mode not in bank.modes),
        unjudged=tuple(mode for mode in bank.modes if mode in known_modes and mode not in modes),
        impossible=None
        if enough
        else sentence("few_to_compare", records=len(fair), modes=len(modes), needed=MIN_COMPARED),
    )


def _without_modes(known_modes: list[str], bank: Bank, fair: np.ndarray, seen: int) -> ComparableRecords:
    """The test records, of whatever mode, where champion or challenger is made from good parts alone."""
    good, needed = int(bank.good[fair].sum()), MIN_COMPARED
    defects = len(fair) - good
    impossible = None
    if len(bank.modes) < 2 <= len(known_modes):
        impossible = sentence("good_against_trained", modes=len(known_modes))
    elif len(bank.modes) < 2 and good < needed:
        impossible = sentence("few_good_to_compare", good=good, needed=needed)
    elif len(bank.modes) >= 2 and (len(fair) < needed or not good or not defects):
        impossible = sentence("few_good_and_defective", good=good, defects=defects, needed=needed)
    return ComparableRecords(
        rows=fair,
        modes=[],
        basis="good" if len(bank.modes) < 2 else "good or defect",
        seen=seen,
        unknown=0,
        lost=tuple(mode for mode in known_modes if mode not in bank.modes),
        unjudged=(),
        impossible=impossible,
    )
