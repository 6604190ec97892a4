"""The gate's reasons, one for each cause; and the champion beside it, on records that it never saw."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import parts
import pytest

from tasks.champion import LEAST_COMPARED, champion_judge, comparable
from tasks.config import Gate, Retrain, Tower
from tasks.distance import distance
from tasks.figures import pair_figures
from tasks.gate import reasons_to_reject
from tasks.judge import embedder, trained_judge
from tasks.judgement import comparison_with
from tasks.releases import Release
from tasks.split import PARTS
from tasks.tower import build_tower

TOWER = Retrain(preset="notebook", tower=Tower(widths="16-8")).resolved().tower

FIGURES = ("auroc", "mode_accuracy", "macro_mode_accuracy", "average_precision")


def judgement(own: float = 0.9, raw: tuple[float, float] = (0.6, 0.7), **more: Any) -> dict[str, Any]:
    """A judgement in which every figure of a model is the same number."""

    def all_figures(value: float) -> dict[str, float]:
        return dict.fromkeys(FIGURES, value)

    baselines = {"raw map, euclidean": raw[0], "raw map, rt": raw[1], "untrained tower": 0.99}
    compared = more.pop("champion", None)
    comparison = None
    if compared is not None:
        figures = {"challenger": all_figures(own), "champion": all_figures(compared)}
        comparison = {"version": "v3", "records": 40, "impossible": None, **figures}
    return {
        "figures": all_figures(own),
        "baselines": {name: all_figures(value) for name, value in baselines.items()},
        "thresholds": [{"name": "good or defect", "refused": None}, {"name": "same mode", "refused": None}],
        "comparison": comparison,
        **more,
    }


def test_a_good_model_passes():
    assert reasons_to_reject(judgement(), Gate()) == []
    assert reasons_to_reject(judgement(champion=0.85), Gate()) == []


@pytest.mark.parametrize("own", [0.7, 0.69, 0.5, float("nan")])
def test_the_best_raw_map_must_be_beaten(own):
    """An equal is no better; a figure that is no number is none."""
    (reason,) = reasons_to_reject(judgement(own), Gate())
    assert reason.startswith(f"auroc {own:.4f} does not beat the raw map, rt (0.7000): ")


def test_by_how_much_the_raw_map_must_be_beaten():
    assert reasons_to_reject(judgement(0.78), Gate(beat_raw_by=0.07)) == []
    (reason,) = reasons_to_reject(judgement(0.78), Gate(beat_raw_by=0.1))
    assert reason.endswith("(0.7000) by the 0.1 asked")


def test_an_untrained_tower_is_no_raw_map():
    """It is reported beside the others, and decides nothing."""
    assert reasons_to_reject(judgement(0.9), Gate()) == []


def test_a_refused_threshold_rejects():
    thresholds = [{"name": "good or defect", "refused": "7 good calibration records, … needs 20"}]
    (reason,) = reasons_to_reject(judgement(thresholds=thresholds), Gate())
    assert reason == "no good or defect threshold: 7 good calibration records, … needs 20"


def test_the_champion_may_be_equalled_but_not_lost_to():
    assert reasons_to_reject(judgement(0.9, champion=0.9), Gate()) == []
    (reason,) = reasons_to_reject(judgement(0.9, champion=0.9001), Gate())
    assert reason == "auroc 0.9000 is worse than the champion v3's 0.9001 on the same 40 test records"
    assert reasons_to_reject(judgement(0.9, champion=float("nan")), Gate())


def test_a_champion_that_cannot_be_compared_rejects():
    comparison = {"version": "v3", "records": 3, "modes": [], "impossible": "3 test records … are needed"}
    (reason,) = reasons_to_reject(judgement(comparison=comparison), Gate())
    assert reason == "cannot be compared with the champion v3: 3 test records … are needed"


@pytest.mark.parametrize("figure", FIGURES)
def test_the_figure_that_decides_is_a_setting(figure):
    found = judgement(0.9, champion=0.8)
    found["figures"][figure] = found["comparison"]["challenger"][figure] = 0.65
    reasons = reasons_to_reject(found, Gate(figure=figure))
    assert [reason.split()[0] for reason in reasons] == [figure, figure]
    other = next(name for name in FIGURES if name != figure)
    assert reasons_to_reject(found, Gate(figure=other)) == []


def test_all_reasons_come_at_once():
    thresholds = [{"name": name, "refused": "too few"} for name in ("good or defect", "same mode")]
    assert len(reasons_to_reject(judgement(0.5, champion=0.9, thresholds=thresholds), Gate())) == 4


# The champion beside it


@pytest.fixture(scope="module")
def bank() -> parts.Bank:
    return parts.banked(parts.inspected(modes=3, each=60))


def released(folder: Path, bank: parts.Bank, seed: int = 1) -> Release:
    """A champion made from `bank`: an untrained tower, its prototypes, and which records it saw."""
    import keras

    keras.utils.set_random_seed(seed)
    tower = build_tower(TOWER, (parts.ROWS, parts.COLS))
    judge = trained_judge("v1", embedder(tower), distance("euclidean"), "mean-map", bank)
    tower.save(folder / "model.keras")
    np.savez(
        folder / "anchors.npz", modes=judge.modes, prototype_mean=judge.prototypes["mean"], good_mean=judge.good["mean"]
    )
    np.savez(folder / "split.npz", hash=bank.hash, part=bank.part)
    (folder / "threshold.json").write_text(json.dumps({"distance": {"name": "euclidean"}}))
    return Release("v1", folder, {})


def resplit(bank: parts.Bank, seed: int) -> parts.Bank:
    """The same records, split anew: a later run with another seed."""
    return parts.banked(parts.Parts(bank.maps, (~bank.good).astype(int), bank.mode, bank.group), seed=seed)


def test_a_release_judges_as_it_did_before_it_was_saved(tmp_path, bank):
    import keras

    champion = champion_judge(released(tmp_path, bank))
    keras.utils.set_random_seed(1)
    same = build_tower(TOWER, (parts.ROWS, parts.COLS))
    judge = trained_judge("again", embedder(same), distance("euclidean"), "mean-map", bank)
    np.testing.assert_allclose(champion.to_modes(bank.maps), judge.to_modes(bank.maps), rtol=1e-6)
    np.testing.assert_allclose(champion.to_good(bank.maps), judge.to_good(bank.maps), rtol=1e-6)
    assert champion.modes == judge.modes


def test_records_that_the_champion_saw_are_left_out(tmp_path, bank):
    """Its train, stop and calibrate records would flatter it; its own test records are fair."""
    later = resplit(bank, seed=7)
    rows, modes, _ = comparable(released(tmp_path, bank), later)
    test = later.rows("test")
    seen = np.isin(later.hash[test], bank.hash[bank.part != PARTS.index("test")])
    assert 0 < seen.sum() < len(test)
    np.testing.assert_array_equal(rows, test[~seen])
    assert modes == ["0", "1", "2"]


def test_new_records_are_all_compared(tmp_path, bank):
    later = parts.banked(parts.inspected(modes=3, each=60, seed=8))
    rows, modes, impossible = comparable(released(tmp_path, bank), later)
    np.testing.assert_array_equal(rows, later.rows("test"))
    assert (modes, impossible) == (["0", "1", "2"], None)


def test_modes_that_only_one_knows_are_left_out(tmp_path, bank):
    part = parts.inspected(modes=4, each=60, seed=8)
    later = parts.banked(part)
    later = replace(later, modes=["new", "0", "1", "2"])
    rows, modes, impossible = comparable(released(tmp_path, bank), later)
    assert (modes, impossible) == (["0", "1", "2"], None)
    assert set(later.mode[rows]) == {1, 2, 3}


def test_too_few_new_records_cannot_be_compared(tmp_path, bank):
    release = released(tmp_path, bank)
    small = parts.banked(parts.inspected(modes=3, each=15, seed=8))
    assert len(small.rows("test")) < LEAST_COMPARED
    assert "test records in 3 modes are new to it and known by it; 20 in 2 are needed" in comparable(release, small)[2]
    strangers = replace(parts.banked(parts.inspected(modes=3, each=60, seed=8)), modes=["a", "b", "0"])
    assert "in 1 modes are new" in comparable(release, strangers)[2]


def test_both_are_judged_on_the_same_records_and_modes(tmp_path, bank):
    later = parts.banked(parts.inspected(modes=4, each=60, seed=8))
    release = released(tmp_path, bank)
    judge = trained_judge("raw", np.asarray, distance("euclidean"), "mean-map", later)
    found = comparison_with(release, judge, later)
    rows = later.rows("test")[later.mode[later.rows("test")] < 3]
    assert (found["version"], found["records"], found["modes"]) == ("v1", len(rows), ["0", "1", "2"])
    own = pair_figures(judge.to_modes(later.maps[rows])[:, :3], later.mode[rows])
    other = pair_figures(champion_judge(release).to_modes(later.maps[rows]), later.mode[rows])
    assert found["challenger"] == pytest.approx(own)
    assert found["champion"] == pytest.approx(other)


def test_columns_are_matched_by_name_not_by_place(tmp_path, bank):
    """The later run knows the modes in another order."""
    later = parts.banked(parts.inspected(modes=3, each=60, seed=8))
    swapped = replace(later, mode=(2 - later.mode).astype(int), anchors=later.anchors[::-1], modes=["2", "1", "0"])
    release = released(tmp_path, bank)
    judged = [
        comparison_with(release, trained_judge("raw", np.asarray, distance("euclidean"), "mean-map", one), one)
        for one in (later, swapped)
    ]
    for name in ("challenger", "champion"):
        assert judged[1][name] == pytest.approx(judged[0][name])
    assert judged[0]["challenger"]["auroc"] > 0.95


def test_an_impossible_comparison_says_why(tmp_path, bank):
    judge = trained_judge("raw", np.asarray, distance("euclidean"), "mean-map", bank)
    flattering = replace(bank, part=np.where(bank.part == 0, 3, 0))  # judged on what the champion was trained on
    found = comparison_with(released(tmp_path, bank), judge, flattering)
    assert found["records"] == 0
    assert "champion" not in found
    (reason,) = reasons_to_reject(judgement(comparison=found), Gate())
    assert reason.startswith("cannot be compared with the champion v1: 0 test records in 0 modes are new to it")
