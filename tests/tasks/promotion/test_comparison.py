"""Champion and challenger side by side, on records that the champion never saw; and what is decided of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import inspected_parts as parts
from support.evaluations import report
from support.releases import manifest

from tasks.config.model import TowerConfig
from tasks.config.run import GateConfig, RunConfig
from tasks.data.split import PARTS
from tasks.evaluation.comparison_report import Comparison
from tasks.evaluation.metrics import pair_metrics
from tasks.evaluation.scored_records import score_bank_part
from tasks.model.classifier import Classifier, PrototypeClassifier, fit_prototypes, raw_map_baseline
from tasks.model.distances import distance
from tasks.model.embeddings import Embedded, EmbeddedBank, make_encoder
from tasks.model.tower import build_tower
from tasks.promotion.comparison import MIN_COMPARED, comparable_records, compare_with_champion
from tasks.promotion.gate import comparison_summary, gate_checks, reasons_to_reject
from tasks.registry.loading import load_classifier
from tasks.registry.manifest import FrozenSet
from tasks.registry.release_files import DEFECT_THRESHOLD, ClassifierArrays, SplitRecords, Threshold, ThresholdSettings
from tasks.registry.releases import Release

TOWER = RunConfig(preset="notebook", tower=TowerConfig(widths="16-8")).resolved().tower


@pytest.fixture(scope="module")
def bank() -> parts.Bank:
    return parts.banked(parts.inspected(modes=3, each=60))


def released(folder: Path, bank: parts.Bank, seed: int = 1) -> Release:
    """A champion made from `bank`: an untrained tower, its prototypes, and which records it saw."""

    tower = build_tower(TOWER, (parts.ROWS, parts.COLS), seed=seed)
    judge = fit_prototypes("v1", EmbeddedBank(make_encoder(tower), bank), distance("euclidean"), "mean-map")
    tower.save(folder / "model.keras")
    ClassifierArrays(judge.modes, bank.anchors, judge.prototypes, judge.good, None).save(folder)
    SplitRecords(bank.hash, bank.part, bank.mode, bank.good, np.empty((len(bank.hash), 0))).save(folder)
    ThresholdSettings({"name": "euclidean"}, "distance", "mean-map", parts.ROWS, parts.COLS, ()).save(folder)
    return Release("v1", folder, manifest(frozen=None))


def resplit(bank: parts.Bank, seed: int) -> parts.Bank:
    """The same records, split anew: a later run with another seed."""
    return parts.banked(parts.Parts(bank.maps, (~bank.good).astype(int), bank.mode, bank.group), seed=seed)


def test_a_release_judges_as_it_did_before_it_was_saved(tmp_path, bank):

    champion = load_classifier(released(tmp_path, bank))
    same = build_tower(TOWER, (parts.ROWS, parts.COLS), seed=1)
    judge = fit_prototypes("again", EmbeddedBank(make_encoder(same), bank), distance("euclidean"), "mean-map")
    np.testing.assert_allclose(
        champion.mode_distances(champion.embed(bank.maps)), judge.mode_distances(judge.embed(bank.maps)), rtol=1e-6
    )
    np.testing.assert_allclose(
        champion.good_distances(champion.embed(bank.maps)), judge.good_distances(judge.embed(bank.maps)), rtol=1e-6
    )
    assert champion.modes == judge.modes


def raw(bank: parts.Bank) -> PrototypeClassifier:
    return raw_map_baseline(distance("euclidean"), bank)


def compared(
    release: Release,
    classifier: Classifier,
    bank: parts.Bank,
    config: RunConfig = RunConfig(),
    threshold: float | None = None,
) -> Comparison:
    challenger = score_bank_part(classifier, bank, "test")
    return compare_with_champion(release, challenger, config, FrozenSet(version="f2", digest="d"), threshold)


def gated(comparison: Comparison, settings: GateConfig = GateConfig(better="auroc")) -> list[str]:
    """The reasons that the comparison alone gives; the models here differ in the distances to modes alone."""
    return list(reasons_to_reject(report(comparison=comparison), settings))


def test_records_that_the_champion_saw_are_left_out_and_counted(tmp_path, bank):
    """Its train, stop and calibrate records would flatter it; its own test records are fair."""
    later = resplit(bank, seed=7)
    left = comparable_records(released(tmp_path, bank), later)
    test = later.rows("test")
    seen = np.isin(later.hash[test], bank.hash[bank.part != PARTS.index("test")])
    assert 0 < seen.sum() < len(test)
    np.testing.assert_array_equal(left.rows, test[~seen])
    assert (left.modes, left.seen, left.unknown) == (["0", "1", "2"], seen.sum(), 0)


def test_new_records_are_all_compared(tmp_path, bank):
    later = parts.banked(parts.inspected(modes=3, each=60, seed=8))
    left = comparable_records(released(tmp_path, bank), later)
    np.testing.assert_array_equal(left.rows, later.rows("test"))
    assert (left.modes, left.impossible, left.lost, left.unjudged) == (["0", "1", "2"], None, (), ())


def test_modes_that_only_one_knows_are_left_out_and_told(tmp_path, bank):
    """The champion knows 0, 1 and 2; the later bank knows new, 0, 1 and 3."""
    later = replace(parts.banked(parts.inspected(modes=4, each=60, seed=8)), modes=["new", "0", "1", "3"])
    left = comparable_records(released(tmp_path, bank), later)
    assert (left.modes, left.impossible, left.lost) == (["0", "1"], None, ("2",))
    assert set(later.mode[left.rows]) == {1, 2}
    assert left.unknown == np.isin(later.mode[later.rows("test")], [0, 3]).sum() > 0


def test_a_mode_of_which_no_record_is_left_is_told(tmp_path, bank):
    later = parts.banked(parts.inspected(modes=3, each=120, seed=8))
    gone = (later.part == PARTS.index("test")) & (later.mode == 2)
    left = comparable_records(released(tmp_path, bank), replace(later, part=np.where(gone, 0, later.part)))
    assert (left.modes, left.unjudged, left.impossible) == (["0", "1"], ("2",), None)


def test_too_few_new_records_cannot_be_compared(tmp_path, bank):
    release = released(tmp_path, bank)
    small = parts.banked(parts.inspected(modes=3, each=15, seed=8))
    assert len(small.rows("test")) < MIN_COMPARED
    needed = "test records in 3 modes are new to it and known by it; 20 in 2 are needed"
    assert needed in comparable_records(release, small).impossible
    strangers = replace(parts.banked(parts.inspected(modes=3, each=60, seed=8)), modes=["a", "b", "0"])
    assert "in 1 modes are new" in comparable_records(release, strangers).impossible


def test_both_are_judged_on_the_same_records_and_modes(tmp_path, bank):
    later = parts.banked(parts.inspected(modes=4, each=60, seed=8))
    release = released(tmp_path, bank)
    judge = raw(later)
    found = compared(release, judge, later)
    rows = later.rows("test")[later.mode[later.rows("test")] < 3]
    assert (found.version, found.records, list(found.result.modes)) == ("v1", len(rows), ["0", "1", "2"])
    assert (found.test_records, found.unknown) == (len(later.rows("test")), len(later.rows("test")) - len(rows))
    own = pair_metrics(judge.mode_distances(judge.embed(later.maps[rows]))[:, :3], later.mode[rows])
    champion = load_classifier(release)
    other = pair_metrics(champion.mode_distances(champion.embed(later.maps[rows])), later.mode[rows])
    for metrics, expected in ((found.result.challenger, own), (found.result.champion, other)):
        good = {"good_auroc": metrics.good_auroc, "good_tpr_at_1_fpr": metrics.good_tpr_at_1_fpr}
        assert vars(metrics) == pytest.approx(vars(expected) | good)
    for name, entry in found.result.figures.items():
        values = [getattr(metrics, name) for metrics in (found.result.challenger, found.result.champion)]
        assert entry.difference == pytest.approx(values[0] - values[1], abs=1e-9)
        assert entry.interval[0] <= entry.difference <= entry.interval[1]


def test_both_are_judged_by_their_own_thresholds_on_good_and_defect(tmp_path, bank):
    """The champion's is in its release, where a recalibration has put it; the challenger's is given."""
    later = parts.banked(parts.inspected(modes=3, each=60, seed=8))
    release, judge = released(tmp_path, bank), raw(later)
    settings = ThresholdSettings.load(release.path)
    champion, rows = load_classifier(release), later.rows("test")
    good = later.good[rows]
    scores = [model.score(model.embed(later.maps[rows])) for model in (judge, champion)]
    cuts = [float(np.median(score)) for score in scores]
    threshold = Threshold(DEFECT_THRESHOLD, "target_fpr", 0.05, "euclidean", 40, 20, cuts[1])
    replace(settings, thresholds=(threshold,)).save(release.path)
    result = compared(release, judge, later, threshold=cuts[0]).result
    passed = [score <= cut for score, cut in zip(scores, cuts, strict=True)]
    assert (result.escapes.challenger, result.escapes.champion) == tuple((own & ~good).sum() for own in passed)
    assert (result.false_alarms.challenger, result.false_alarms.champion) == tuple(
        (~own & good).sum() for own in passed
    )
    assert (result.escapes.n, result.false_alarms.n) == ((~good).sum(), good.sum())
    without = compared(release, judge, later).result
    assert (without.escapes, without.false_alarms) == (None, None)
    assert without.figures["good_auroc"] == result.figures["good_auroc"]


def test_without_good_parts_pairs_and_modes_alone_are_compared(tmp_path, bank):
    later = parts.banked(parts.inspected(modes=3, each=60, seed=8))
    found = compared(released(tmp_path, bank), raw(later), replace(later, good=np.zeros_like(later.good)))
    assert "good_auroc" not in found.result.figures
    assert comparison_summary(found, GateConfig()).rates == (
        "escapes and false alarms were not compared: "
        "there are no good and defective parts on which both models can be judged"
    )
    assert comparison_summary(found, GateConfig()).figure == "auroc"


def test_columns_are_matched_by_name_not_by_place(tmp_path, bank):
    """The later run knows the modes in another order."""
    later = parts.banked(parts.inspected(modes=3, each=60, seed=8))
    swapped = replace(later, mode=(2 - later.mode).astype(int), anchors=later.anchors[::-1], modes=["2", "1", "0"])
    release = released(tmp_path, bank)
    before, after = (compared(release, raw(bank), bank).result for bank in (later, swapped))
    assert vars(after.challenger) == pytest.approx(vars(before.challenger))
    assert vars(after.champion) == pytest.approx(vars(before.champion))
    assert after.figures["auroc"].interval == pytest.approx(before.figures["auroc"].interval)
    assert {mode: entry.n for mode, entry in after.modes.items()} == {
        mode: entry.n for mode, entry in before.modes.items()
    }
    assert before.challenger.auroc > 0.95


def test_it_draws_groups_where_there_are_enough(tmp_path, bank):
    release = released(tmp_path, bank)
    for groups, unit in ((0, "record"), (2, "record (too few groups: "), (80, "group")):
        later = parts.banked(parts.inspected(modes=3, each=240, groups=groups, seed=8))
        found = compared(release, raw(later), later).result
        names = np.unique(later.group[later.rows("test")])
        assert found.unit.startswith(unit)
        assert found.units == (len(names) if unit == "group" else len(later.rows("test")))


def test_the_frozen_sets_of_both_are_named(tmp_path, bank):
    later = parts.banked(parts.inspected(modes=3, each=60, seed=8))
    release = released(tmp_path, bank)
    found = compared(replace(release, manifest=manifest()), raw(later), later)
    assert (found.frozen, found.champion_frozen) == ("f2", "f1")
    assert compared(release, raw(later), later).champion_frozen is None, "a release of an older Kensa"


# The decision


@dataclass(frozen=True)
class Altered:
    """A classifier of raw maps whose distances (n, modes) are altered by a function of them and the maps."""

    exact: Classifier
    alter: Callable[[np.ndarray, np.ndarray], np.ndarray]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.exact, name)

    def mode_distances(self, embedded: Embedded) -> np.ndarray:
        return self.alter(self.exact.mode_distances(embedded), embedded.vectors)


def noisy(bank: parts.Bank, deviation: float, seed: int) -> Altered:
    """The raw map, its distances blurred: a worse model of the same kind."""
    blur = np.random.default_rng(seed).normal(0, deviation, (len(bank.maps), len(bank.modes)))
    place = {row.tobytes(): i for i, row in enumerate(np.asarray(bank.maps))}
    return Altered(raw(bank), lambda distances, maps: distances + blur[[place[row.tobytes()] for row in maps]])


@pytest.fixture
def later() -> parts.Bank:
    return parts.banked(parts.inspected(modes=3, each=300, seed=8))


@pytest.fixture
def rival(tmp_path, bank, monkeypatch):
    """Makes a release whose judge is the one given: the same folder, loaded by the same door."""

    def make(classifier: Classifier) -> Release:
        release = released(tmp_path, bank)
        monkeypatch.setattr("tasks.promotion.comparison.load_classifier", lambda _: classifier)
        return release

    return make


def test_a_truly_better_model_is_promoted(rival, later):
    found = compared(rival(noisy(later, 3.0, 1)), noisy(later, 1.5, 2), later)
    assert gated(found) == []
    assert gated(found, GateConfig(figure="mode_accuracy")) == []
    assert found.result.figures["auroc"].interval[0] > 0


def test_a_worse_and_an_equally_good_one_are_not(rival, later):
    worse, *modes = gated(compared(rival(noisy(later, 1.5, 2)), noisy(later, 3.0, 1), later))
    assert worse.startswith("worse than the champion v1: verification AUROC difference -0.")
    assert all(reason.startswith(("mode ", "mode_accuracy fell against the champion v1")) for reason in modes)
    (equal,) = gated(compared(rival(noisy(later, 1.5, 2)), noisy(later, 1.5, 3), later))
    assert equal.startswith("not shown to be better than the champion v1")


def test_each_further_comparison_with_the_champion_must_be_more_certain(rival, later):
    champion, better = rival(noisy(later, 3.0, 1)), noisy(later, 2.4, 2)
    challenger = score_bank_part(better, later, "test")
    frozen, lows = FrozenSet(version="f2", digest="d"), []
    for number in (1, 5, 50):
        found = compare_with_champion(champion, challenger, RunConfig(), frozen, number=number)
        assert found.result.spent_confidence == pytest.approx(1 - 0.05 * 0.3 / number)
        lows.append(found.result.deciding_interval("auroc")[0])
        (check, *_) = gate_checks(found.result, GateConfig(better="auroc"))
        assert (check.interval, check.passed) == (found.result.deciding_interval("auroc"), lows[-1] > 0)
    plain = compare_with_champion(champion, challenger, RunConfig(gate=GateConfig(spend=False)), frozen, number=50)
    assert lows == sorted(lows, reverse=True)
    assert plain.result.deciding_interval("auroc") == plain.result.figures["auroc"].interval
    assert plain.result.figures["auroc"].interval[0] > lows[0]


def test_the_same_weights_are_a_tie(tmp_path, bank, later):
    """The champion's own folder, loaded anew."""
    release = released(tmp_path, bank)
    found = compared(release, load_classifier(release), later)
    assert found.result.same_model
    assert gated(found) == [
        f"a tie: the same model as the champion v1, with the same distances on the same {found.records} "
        "test records of f2; the champion stays"
    ]


def test_the_same_order_of_all_distances_is_a_tie(rival, later):
    """Twice the distance is another model, and no better one."""
    double = Altered(raw(later), lambda distances, _: 2 * distances)
    found = compared(rival(raw(later)), double, later)
    assert not found.result.same_model
    (reason,) = gated(found)
    assert reason.startswith("a tie with the champion v1: the same verification AUROC")


def test_one_ruined_mode_is_refused_although_the_mean_gains(rival, later):
    """Mode 2's records are taken for mode 1; the others, six in seven of all, are told better than before."""
    few = (later.mode == 2) & (np.arange(len(later.mode)) // 3 % 3 > 0)  # mode 2 has a third of the others' records
    bank = replace(later, part=np.where(few & (later.part == PARTS.index("test")), 0, later.part))
    swapped = Altered(noisy(bank, 0.3, 1), lambda distances, maps: _swapped(distances, maps, bank))
    found = compared(rival(noisy(bank, 6.0, 2)), swapped, bank)
    assert found.result.figures["mode_accuracy"].interval[0] > 0
    (reason,) = gated(found, GateConfig(figure="mode_accuracy"))
    assert reason.startswith("mode 2 is worse than the champion v1's: accuracy ")
    assert gated(found, GateConfig(figure="mode_accuracy", mode_margin=1.0, auroc_margin=1.0)) == []


def _swapped(distances: np.ndarray, maps: np.ndarray, bank: parts.Bank) -> np.ndarray:
    """Columns 1 and 2 change places for the records of mode 2."""
    hashes = {row.tobytes(): mode for row, mode in zip(np.asarray(bank.maps), bank.mode, strict=True)}
    own = np.array([hashes[row.tobytes()] == 2 for row in maps])
    return np.where(own[:, None], distances[:, [0, 2, 1]], distances)


# It fails closed


def test_an_impossible_comparison_says_why(tmp_path, bank):
    flattering = replace(bank, part=np.where(bank.part == 0, 3, 0))  # judged on what the champion was trained on
    found = compared(released(tmp_path, bank), raw(bank), flattering)
    assert (found.records, found.result) == (0, None)
    assert found.seen > 0
    (reason,) = gated(found)
    assert reason.startswith("cannot be compared with the champion v1: 0 test records in 0 modes are new to it")


def _break(folder: Path, what: str) -> None:
    if what == "distance":
        replace(ThresholdSettings.load(folder), distance={"name": "of another Kensa"}).save(folder)
    elif what == "no distance":
        (folder / "threshold.json").write_text("{}")
    elif what == "gone":
        (folder / "anchors.npz").unlink()
    elif what == "empty":
        (folder / "split.npz").write_bytes(b"")
    else:
        whole = (folder / what).read_bytes()
        (folder / what).write_bytes(whole[: len(whole) // 2])


@pytest.mark.parametrize(
    "what", ["model.keras", "anchors.npz", "split.npz", "distance", "no distance", "gone", "empty"]
)
def test_a_champion_that_cannot_be_used_rejects(tmp_path, bank, later, what):
    release = released(tmp_path, bank)
    _break(release.path, what)
    found = compared(release, raw(later), later)
    assert found.result is None
    (reason,) = gated(found)
    assert reason.startswith(f"cannot be compared with the champion v1: {tmp_path.name} cannot be used (")
    assert "\n" not in reason
    assert comparison_summary(found, GateConfig()).verdict == reason


def test_a_champion_of_other_maps_rejects(tmp_path, bank, later):
    wide = replace(later, maps=np.pad(later.maps, ((0, 0), (0, 1))), anchors=np.pad(later.anchors, ((0, 0), (0, 1))))
    (reason,) = gated(compared(released(tmp_path, bank), raw(wide), wide))
    assert "cannot be used (ValueError" in reason


def test_distances_that_are_no_numbers_reject(tmp_path, bank, later):
    broken = Altered(raw(later), lambda distances, _: distances * np.nan)
    (reason,) = gated(compared(released(tmp_path, bank), broken, later))
    assert reason == "cannot be compared with the champion v1: this model gives distances that are no finite numbers"


def test_a_mistake_of_ours_is_not_taken_for_a_verdict(tmp_path, bank, later):
    """It fails the run, which releases nothing either, and shows where it is."""

    def mistaken(distances: np.ndarray, maps: np.ndarray) -> np.ndarray:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        compared(released(tmp_path, bank), Altered(raw(later), mistaken), later)


@pytest.mark.parametrize(("count", "enough"), [(MIN_COMPARED - 1, False), (MIN_COMPARED, True)])
def test_the_fewest_records_that_are_needed_are_enough(tmp_path, bank, count, enough):
    later = parts.banked(parts.inspected(modes=3, each=60, seed=8))
    rows = later.rows("test")
    kept = np.setdiff1d(rows, rows[:: max(1, len(rows) // count)][:count])
    fewer = replace(later, part=np.where(np.isin(np.arange(len(later.part)), kept), 0, later.part))
    assert len(fewer.rows("test")) == count
    assert (comparable_records(released(tmp_path, bank), fewer).impossible is None) == enough


def test_one_distance_that_is_no_number_rejects(tmp_path, bank, later):
    def broken(distances: np.ndarray, _: np.ndarray) -> np.ndarray:
        return np.where(np.arange(distances.size).reshape(distances.shape) == 0, np.inf, distances)

    (reason,) = gated(compared(released(tmp_path, bank), Altered(raw(later), broken), later))
    assert reason.endswith("this model gives distances that are no finite numbers")
