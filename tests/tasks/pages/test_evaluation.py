"""The page shows the verdict and every figure, needs nothing but itself, and believes no name."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from support import evaluations
from support.evaluations import leakage, threshold

from tasks.config.run import GateConfig, RunConfig
from tasks.core.results import Finding
from tasks.data.split import PARTS
from tasks.evaluation.comparison_report import Comparison
from tasks.evaluation.evaluation_report import (
    Auroc,
    Baseline,
    CrossedGroup,
    CrossFitting,
    Estimate,
    EvaluationReport,
    GroupMetrics,
    HoldoutMetrics,
    RawMapGain,
    SettingChange,
)
from tasks.evaluation.intervals import intervals, macro_intervals
from tasks.evaluation.metrics import macro, pair_metrics, per_mode_metrics
from tasks.evaluation.report_data import Misclassification, PairContrast, ReportData, TripletExample
from tasks.evaluation.resampling import Resampling
from tasks.pages.evaluation import render
from tasks.promotion.gate import comparison_summary, reasons_to_reject
from tasks.promotion.paired_metrics import paired_result
from tasks.registry.manifest import FrozenSet, SourceSummary
from tasks.report.curves import RATES, curves, precision_recall, readings, roc
from tasks.report.leaderboard import difference_charts

HOSTILE = '</bdi><script>alert("x")</script><img src=http://evil/x onerror=alert(1)> & $\\frac$ \u202e'
SECTIONS = [
    "figures",
    "baselines",
    "data",
    "triplets",
    "training",
    "thresholds",
    "modes",
    "certificate",
    "scores",
    "notebook",
    "settings",
]


class Page(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs in self.tags if tag == name]


def evaluated(
    modes: list[str], good: bool = True, records: int = 120, epochs: int = 5
) -> tuple[EvaluationReport, ReportData]:
    """A report and its evidence, of noisy points around one prototype for each mode."""
    rng = np.random.default_rng(7)
    mode = np.arange(records) % len(modes)
    prototypes = rng.normal(size=(len(modes), 6))
    embeddings = prototypes[mode] + 0.7 * rng.normal(size=(records, 6))
    distances = np.linalg.norm(embeddings[:, None] - prototypes, axis=2)
    raw = {
        f"raw map, {name}": distances + rng.exponential(3, distances.shape) for name in ("euclidean", "cosine", "rt")
    }
    maps = rng.random((3, 5, 4))
    same = {"norm": 1.0, "spread": 1.5, "seconds": 0.2, "val_auroc": 0.91, "val_mode_accuracy": 0.77}
    log = [{"epoch": i, "loss": 0.4 / i, "val_loss": 0.5 / i, "active": 1 / i, **same} for i in range(1, epochs + 1)]
    evidence = ReportData(
        modes=modes,
        distances=distances,
        mode=mode,
        good=(mode == 0) & good,
        good_score=distances[:, 0] if good else None,
        embeddings=embeddings,
        baseline_distances=raw,
        history={"best_epoch": epochs, "epochs": log},
        examples=[
            TripletExample(*maps, modes[0], modes[1], 0.5, 1.25),
            TripletExample(*(maps - 0.5), modes[1], modes[0], 2.5, 1.5),
        ],
        resampling=Resampling(np.arange(records), 100, 0.95, 1),
        contrasts=contrasted(distances, mode, good),
        mistakes=[Misclassification(*maps, modes[1], modes[0], "L07", 0.9173, 0.2846, 1.5351, 0.6428)] * 2,
    )
    return report_of(evidence), evidence


def contrasted(distances: np.ndarray, mode: np.ndarray, good: bool) -> list[PairContrast]:
    own = np.arange(distances.shape[1]) == mode[:, None]
    near, far = distances[own], distances[~own]
    kinds = [("own prototype", "other prototype"), ("one mode", "two modes"), ("two good", "good and bad")]
    return [PairContrast(*names, near, far) for names in kinds[: 3 if good else 2]]


def report_of(evidence: ReportData) -> EvaluationReport:
    names, mode, distances, good = evidence.modes, evidence.mode, evidence.distances, evidence.good
    resampling = Resampling(np.arange(len(mode)), 100, 0.95, 1)
    per_mode = per_mode_metrics(distances, mode, names)
    metrics = vars(pair_metrics(distances, mode)) | {
        "recall_at_1": 0.6171,
        "map_at_r": 0.4182,
        "triplet_accuracy": 0.9193,
        "angular_accuracy": 0.5124,
        "angular_auroc": 0.8235,
        "macro": macro(per_mode),
        "macro_intervals": macro_intervals(distances, mode, resampling),
        "per_mode": per_mode,
        "per_group": {},
        "intervals": intervals(distances, mode, resampling),
        "records": len(mode),
    }
    counts = {name: dict.fromkeys(PARTS, 10 + i) for i, name in enumerate(names)}
    baselines = [
        *(Baseline(name, "raw map", pair_metrics(of, mode)) for name, of in evidence.baseline_distances.items()),
        Baseline("untrained tower", "untrained tower", pair_metrics(distances[::-1], mode)),
    ]
    defect = (threshold(value=1.3579),) if good.any() else ()
    report = evaluations.report(
        train=SOURCE,
        metrics=HoldoutMetrics(**metrics | (GOOD_METRICS if good.any() else {})),
        baselines=tuple(baselines),
        thresholds=(*defect, threshold("same mode", 1.4682)),
        frozen=FrozenSet(version="f2", digest="5eed" * 16, records=len(mode), modes=len(names)),
        data={
            "dropped_contradictory": 31,
            "dropped_small_modes": 32,
            "dropped_untrained_mode": 33,
            "split_by": "record",
            "triplets_brought": 9000,
            "triplets_crossing": 812,
            "triplets_replaced": 811,
            **{f"triplets_{part}": 100 for part in PARTS},
            "records": dict.fromkeys(PARTS, 400),
            "modes": counts,
            "good": dict.fromkeys(PARTS, int(good.sum())),
            "groups": dict.fromkeys(PARTS, 0),
            "values": 20,
        },
        findings=(
            Finding("columns present", success=True, required=True, notes="wide records"),
            Finding("no surplus columns", success=False, required=False, notes=f"ignored: {HOSTILE}"),
            Finding("finite values", success=False, required=True, notes="3 maps"),
        ),
        history=evidence.history,
        settings=RunConfig(preset="notebook").fingerprint_fields() | {"seed": 7},
    )
    return gated(report)


SOURCE = SourceSummary(
    source="acme/boards", kind="hub", revision="12bee46" * 5, records=4148, modes=3, source_kind="wide"
)
GOOD_METRICS = {
    "good_auroc": 0.7346,
    "good_auroc_interval": (0.7057, 0.7668),
    "good_accuracy": 0.6879,
    "good_balanced_accuracy": 0.8956,
    "good_balanced_accuracy_interval": (0.8471, 0.9248),
    "good_fpr": 0.0481,
    "good_tpr": 0.8392,
    **{f"good_{name}_interval": (0.1357, 0.2468) for name in ("accuracy", "fpr", "tpr")},
    "good_scores": {
        name: Auroc(value, (value - 0.01, value + 0.01))
        for name, value in (("distance", 0.7346), ("peak", 0.6346), ("fused", 0.8346))
    },
    "good_fpr_by_group": {HOSTILE: 0.17, "L01": 0.0},
    "calibration_fpr_by_group": {"C1": 0.02, "C2": 0.07},
    "per_group": {
        HOSTILE: GroupMetrics(61, 20, 0.8413, 0.9317, 0.8857, fpr=0.0, tpr=0.7439, balanced_accuracy=0.8719),
        "L01": GroupMetrics(59, 0, 0.4136, 0.6157, tpr=0.5237),
    },
}


def gated(report: EvaluationReport) -> EvaluationReport:
    """The report with the reasons and the verdict of what it holds now."""
    settings = GateConfig()
    verdict = comparison_summary(report.comparison, settings)
    return replace(report, verdict=verdict, reasons=reasons_to_reject(report, settings))


def against(report: EvaluationReport, evidence: ReportData, champion: np.ndarray, **changes: Any) -> EvaluationReport:
    """The report with a champion, v3, whose distances to the prototypes are `champion`."""
    resampling = Resampling(np.arange(len(evidence.mode)), 1000, 0.95, 1)
    comparison = Comparison(
        version="v3",
        frozen="f2",
        champion_frozen="f1",
        test_records=len(evidence.mode) + 37,
        records=len(evidence.mode),
        seen=31,
        unknown=6,
        result=paired_result(evidence.distances, champion, evidence.mode, evidence.modes, resampling),
    )
    return gated(replace(report, comparison=replace(comparison, **changes)))


@pytest.fixture(scope="module")
def usual() -> tuple[EvaluationReport, ReportData, str]:
    report, evidence = evaluated(["0", "1", "2"])
    return report, evidence, render(report, evidence)


def test_the_verdict_stands_first(usual):
    report, _, html = usual
    assert report.reasons == ()
    text = Page(html.partition("</header>")[0]).text
    assert "✓ PASSES THE GATE" in text
    for needed in ("acme/boards", "12bee4612b", "400 train", "400 test", "no champion yet", "best raw map"):
        assert needed in text
    assert f"{report.metrics.auroc:.3f}" in text
    assert f"{report.best_raw_map('auroc')[1]:.3f}" in text
    assert html.startswith("<!doctype html>")


def test_the_figures_of_the_report_appear(usual):
    report, _, html = usual
    text = Page(html).text
    metrics = report.metrics
    shown = [value for value in metrics.plain_numbers().values() if value < 1 and not 0.04 < value < 0.05]
    shown.remove(metrics.good_tpr)  # as a percentage
    shown += [entry.accuracy for entry in metrics.per_mode.values()]
    for baseline in report.baselines:
        shown += [baseline.metrics.auroc, baseline.metrics.eer, baseline.metrics.mode_accuracy]
    shown += [edge for interval in (*metrics.intervals.values(), metrics.good_auroc_interval) for edge in interval]
    missing = [value for value in shown if f"{value:.3f}" not in text]
    assert not missing
    for value in ("4.8\u202f%", "83.9\u202f%", "1.358", "1.468", "31 with contradictory", "812 crossed", "883,584"):
        assert value in text


def test_every_section_is_there_and_linked(usual):
    page = Page(usual[2])
    assert [attrs["id"] for attrs in page.all("section") if "id" in attrs] == SECTIONS
    links = [attrs["href"] for attrs in page.all("a") if attrs["href"].startswith("#")]
    assert [link for link in links if link != "#mistakes"][: len(SECTIONS)] == [f"#{name}" for name in SECTIONS]
    assert "#mistakes" in links


def test_nothing_is_loaded_and_no_script_may_run(usual):
    page = Page(usual[2])
    places = [attrs.get(name) or "" for _, attrs in page.tags for name in ("src", "href") if name in attrs]
    assert places
    assert all(place.startswith(("data:image/", "#")) for place in places)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    assert not re.search(r"url\(|@import", usual[2])
    policy = next(attrs["content"] for attrs in page.all("meta") if "http-equiv" in attrs)
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_every_picture_says_what_it_shows(usual):
    page = Page(usual[2])
    assert len(page.all("img")) == 4 * 4 + 9
    assert all((attrs["alt"] or "").strip() and int(attrs["width"] or 0) for attrs in page.all("img"))
    assert all("aria-hidden" in attrs or attrs["aria-label"] for attrs in page.all("svg"))


@pytest.mark.slow
def test_the_same_input_gives_the_same_page(usual):
    report, evidence, html = usual
    assert render(report, evidence) == html
    assert len(html) < 1_000_000


def test_the_groups_stand_worst_first_with_what_they_have(usual):
    text = Page(usual[2]).text
    table = text.partition("By group")[2].partition("Worst misclassifications")[0]
    assert table.index("0.414") < table.index("0.841")
    for value in ("0.932", "0.886", "74.4\u202f%", "0.872", "0.616", "52.4\u202f%"):
        assert value in table
    row = table.partition("L01")[2].partition("0.841")[0]
    assert row.count("\u2013") == 3, "no good part in this group: no AUROC, no false alarms, no balanced accuracy"


def test_false_alarms_by_group_stand_beside_the_target(usual):
    text = " ".join(Page(usual[2]).text.partition("False alarms by group, against the target")[2].split())
    assert text.startswith("5.0 % of good parts may be stopped.")
    assert "17.0 %, L01 0.0 %" in text
    assert "Calibration, which the threshold was found on: C2 7.0 %, C1 2.0 %" in text


def test_mistakes_stand_beside_both_neighbours(usual):
    _, evidence, html = usual
    text = " ".join(Page(html).text.partition("Worst misclassifications")[2].split())
    wrong = int((evidence.distances.argmin(axis=1) != evidence.mode).sum())
    assert f"2 of {wrong} misclassified test records" in text
    for needed in (
        "✗ predicted as 0",
        "group L07",
        "distance 0.917",
        "distance 0.285",
        "prototype 1.535",
        "prototype 0.643",
    ):
        assert needed in text


@pytest.mark.slow
def test_a_model_without_mistakes_says_so(usual):
    html = render(usual[0], replace(usual[1], mistakes=[]))
    assert "None: every test record is nearest to its own mode’s prototype." in Page(html).text


def test_the_kinds_of_pair_stand_with_their_middle_and_edges(usual):
    evidence, text = usual[1], Page(usual[2]).text.partition("Distances by kind of pair")[2]
    for one in evidence.contrasts:
        for name, values in one.rows:
            edges = "".join(f"{edge:.3f}" for edge in np.quantile(values, [0.05, 0.5, 0.95]))
            assert f"{name}{len(values):,}{edges}" in text
        assert f"AUROC {one.auroc:.3f}" in text


def test_the_reports_curves_have_bands_where_the_model_is_evaluated(usual):
    report, evidence, _ = usual
    found = curves(evidence)
    assert list(found) == ["this model", *evidence.baseline_distances, "good or defect"]
    assert [name for name, one in found.items() if one.roc_band is not None] == ["this model", "good or defect"]
    assert found["this model"].prevalence == pytest.approx(1 / 3)
    at = int(np.flatnonzero(RATES == 0.05)[0])
    assert found["this model"].roc[at] == report.metrics.tpr_at_5_fpr
    told = readings(found)
    assert [(what, place) for what, place, _ in told] == [
        ("tpr", 0.01),
        ("tpr", 0.05),
        ("precision", 0.8),
        ("precision", 0.95),
    ]
    assert told[1][2]["this model"][0] == report.metrics.tpr_at_5_fpr
    assert told[0][2]["this model"][0] == report.metrics.tpr_at_1_fpr
    for one in (roc(found), roc(found, 0.05), precision_recall(found)):
        assert one.content.startswith(b"<?xml")
        assert "this model" in one.alt
    without = curves(replace(evidence, good_score=None))
    assert "good or defect" not in without


def test_findings_differ_by_symbol(usual):
    text = Page(usual[2]).text
    assert text.index("✓ ok") < text.index("▲ warning") < text.index("✗ failed")


def test_changed_settings_come_first(usual):
    text = Page(usual[2]).text
    assert "1 differs" in text
    assert text.index("● seed") < text.index("data.rows")


@pytest.mark.slow
def test_hostile_text_is_text_wherever_it_stands():
    report, evidence = evaluated([f"{HOSTILE}{i}" for i in range(3)])
    source = replace(SOURCE, source=HOSTILE)
    report.settings["data"]["good"] = HOSTILE
    report = replace(
        report,
        train=source,
        test=source,
        data=report.data | {"test_in_train": 14, "test_group_in_train": 0, "test_unknown_mode": 5},
        reasons=(HOSTILE,),
        comparison=Comparison(version=HOSTILE, frozen="f1", records=3, impossible=HOSTILE),
        thresholds=(threshold(value=None, refused=HOSTILE), report.thresholds[1]),
    )
    html = render(report, evidence)
    page = Page(html)
    assert "<script" not in html
    assert "onerror" not in {name for _, attrs in page.tags for name in attrs}
    assert all((attrs["src"] or "").startswith("data:") for attrs in page.all("img"))
    assert page.text.count("<script>") > 12


def of_fold(value: float) -> dict[str, Any]:
    """The figures of a model that never saw one mode."""
    edges = [value - 0.01, value + 0.01]
    scores = {
        name: {"auroc": value + i / 1000, "interval": edges} for i, name in enumerate(("distance", "peak", "fused"))
    }
    return {"n": 57, "novelty": {"auroc": value - 0.1, "interval": edges}, "scores": scores, "caught": value - 0.2}


@pytest.mark.slow
def test_unseen_modes_are_shown_by_name(usual):
    mean = {"novelty_auroc": 0.8037, "caught": 0.7123, "good_auroc": 0.9041}
    mean |= {f"good_auroc_{name}": value for name, value in (("distance", 0.9041), ("peak", 0.9052), ("fused", 0.9063))}
    modes = {HOSTILE: of_fold(0.9123), "2": {"failed": f"epoch 2: {HOSTILE}"}}
    html = render(replace(usual[0], unseen={"modes": modes, "mean": mean}), usual[1])
    text = Page(html).text
    assert "<script" not in html
    for shown in ("0.912", "0.913", "0.914", "0.812", "71.2", "0.804", "0.906", "✗ not trained"):
        assert shown in text


@pytest.mark.parametrize(("chance", "said"), [(True, "✓ passed"), (None, "▲ too few records"), (False, "✗ failed")])
@pytest.mark.slow
def test_permuted_modes_are_shown(usual, chance, said):
    values = {"auroc": [0.5123, 0.4987], "mean": 0.5055, "expected": [0.45, 0.55], "failed": []}
    text = Page(render(replace(usual[0], permutation=values | {"chance": chance}), usual[1])).text
    assert said in text
    assert "0.512, 0.499" in text


@pytest.mark.slow
def test_the_lead_over_the_raw_map_has_its_interval(usual):
    lead = {"baseline": "raw map, rt", "metric": "auroc", "difference": 0.2342, "interval": (0.1234, 0.3456)}
    gain = RawMapGain(**lead, confidence=0.95, unit="record")
    text = " ".join(Page(render(replace(usual[0], raw_map=gain), usual[1])).text.split())
    assert "Against the raw map, rt, the best here: verification AUROC +0.234 [+0.123, +0.346]." in text
    assert "the best here" not in Page(usual[2]).text


@pytest.mark.slow
def test_settings_that_differ_from_the_champions_stand_with_both_values(usual):
    changes = (SettingChange("fit.epochs", 9, 18), SettingChange("gate.better", None, "auroc"))
    champion = replace(evaluations.comparison(), result=None, impossible="few")
    compared = gated(replace(usual[0], comparison=champion, setting_changes=changes))
    text = "".join(Page(render(compared, usual[1])).text.split())
    assert "notthoseofthechampionv3settingchampionthismodelfit.epochs918gate.better–auroc" in text
    same = Page(render(replace(compared, setting_changes=()), usual[1])).text
    assert "None: both were made with the same settings." in same
    assert "not those of the champion" not in Page(usual[2]).text


@pytest.mark.slow
def test_the_replayed_split_stands_beside_the_honest_one(usual):
    figures = {"angular_accuracy_at_0.5": 0.5012, "angular_auroc": 0.9134, "triplet_accuracy": 0.9876}
    replay = {"kind": "replay", "name": "notebook", "triplets": 1140, "held_out": 60, "shared": 0.95, **figures}
    assert "notebook’s split" not in Page(usual[2]).text
    text = " ".join(Page(render(replace(usual[0], replay=replay), usual[1])).text.split())
    for shown in ("0.501", "0.913", "0.988", "holds out 60 of 1,200 triplets, and no record: of 95.0 % of"):
        assert shown in text
    failed = {"kind": "replay", "name": "notebook", "failed": "epoch 2: all alike"}
    assert "epoch 2: all alike" in Page(render(replace(usual[0], replay=failed), usual[1])).text


@pytest.mark.slow
def test_leaks_and_too_few_groups_are_shown(usual):
    clean, evidence, _ = usual
    verdict = "The test is not clean: 3 records."
    leaks = leakage(leaks=("3 records are in more than one part",), verdict=verdict)
    metrics = replace(clean.metrics, interval_unit="record (too few groups: 5)")
    report = gated(replace(clean, certificate=leaks, metrics=metrics))
    assert report.reasons[0] == "leakage: 3 records are in more than one part"
    text = " ".join(Page(render(report, evidence)).text.split())
    assert f"✗ {verdict}" in text
    assert "over records (too few groups: 5)." in text
    assert "▲ These intervals are for parts of these groups only" in text


def test_scores_and_their_intervals_are_shown(usual):
    text = Page(usual[2]).text
    for shown in ("0.896", "0.847", "0.925", "0.136", "0.247", "0.735", "0.635", "0.835"):
        assert shown in text


@pytest.mark.slow
def test_sixty_modes_without_good_records_and_worse_than_the_champion():
    modes = [
        f"solder bridge & copper residue between pad {i} and its neighbour on the lower left 検査 {i}"
        for i in range(60)
    ]
    report, evidence = evaluated(modes, good=False, records=180, epochs=1)
    refused = threshold(value=None, refused="12 good calibration records")
    report = replace(report, thresholds=(refused, *report.thresholds))
    report = against(report, evidence, evidence.distances - 0.5 * (np.arange(60) == evidence.mode[:, None]))
    html = render(report, evidence)
    text = Page(html).text
    assert "✗ REJECTED" in text
    assert "worse than the champion v3: verification AUROC difference -0." in text
    assert "the same 180 test records and 60 modes" in text
    assert "44 modes between are not shown" in text
    assert "fewer than 5 records, too few for an interval" in text
    assert "these few, together 180" in text
    assert "✗ refused: 12 good calibration records" in text
    assert "no good records" in text
    assert len(html) < 2_000_000


@pytest.fixture(scope="module")
def better() -> tuple[EvaluationReport, str]:
    """A model that beats its champion, in all modes but `burr`, which it takes for another; and its page."""
    report, evidence = evaluated(["good", "scratch", "dent", "burr", "rare"], records=300)
    keep = (evidence.mode < 4) | (np.arange(300) < 20)  # four records of `rare`
    taken = {name: getattr(evidence, name)[keep] for name in ("mode", "good", "good_score", "embeddings", "distances")}
    taken["resampling"] = evidence.resampling.among(keep)
    raw = {name: values[keep] for name, values in evidence.baseline_distances.items()}
    own = taken["distances"].copy()
    burr = taken["mode"] == 3
    own[burr] = own[burr][:, [0, 1, 3, 2, 4]]
    evidence = replace(evidence, **taken | {"distances": own, "baseline_distances": raw})
    noise = np.random.default_rng(3).normal(0, 1.5, own.shape)
    report = against(report_of(evidence), evidence, own + noise, unjudged=("crack",), lost=("void",))
    return report, render(report, evidence)


def test_the_differences_stand_in_the_report_with_their_intervals(better):
    report, html = better
    text = " ".join(Page(html.partition('id="baselines"')[2]).text.split())
    result = report.comparison.result
    low, high = result.figures["auroc"].interval
    assert report.verdict.verdict in text
    assert f"[{low:+.4f}, {high:+.4f}]" in text
    for entry in [*result.figures.values(), *result.modes.values()]:
        assert f"{entry.difference:+.3f}".replace("-", "\u2212") in text
    for needed in (
        "1,000 draws of 244 records, the same for both models",
        "each end of a line holds with 95 % confidence",
        "(the champion was released on f1; this revision changed the set, so both models were evaluated again)",
        "281 records, of which 31 were left out because they were training, validation or calibration records",
        "Modes without comparable records: crack.",
        "Modes that only the champion knows: void.",
    ):
        assert needed in text


def test_the_mode_that_fell_is_marked_and_named_in_the_verdict(better):
    report, html = better
    head, _, rest = html.partition("</header>")
    assert "mode burr is worse than the champion v3" in Page(head).text
    assert "no longer knows void, which the champion v3 does" in Page(head).text
    drawn = difference_charts(report.comparison, GateConfig())
    assert [line.who for line in drawn.modes.lines if line.vetoes] == ["burr"]
    assert not any(line.vetoes for line in drawn.figures.lines)
    assert rest.count('class="track self vetoes"') == 1
    rare = next(line for line in drawn.modes.lines if line.who == "rare")
    assert rare.ends is None
    assert drawn.modes.lines[-1].who == "these few, together"


def without_spaces(html: str) -> str:
    """The text of a page; the cells of a table have nothing between them."""
    return "".join(Page(html).text.split())


@pytest.mark.slow
def test_escapes_and_false_alarms_of_both_stand_first(usual):
    """58 escapes of 150 became 91, 10 false alarms of 100 became none: rejected, and both are shown."""
    report = gated(replace(usual[0], comparison=evaluations.more_escapes()))
    html = render(report, usual[1])
    head, _, rest = html.partition('aria-label="Data"')
    assert "escapes rose from 38.7 % to 60.7 % against the champion v3" in Page(head).text
    text = without_spaces(head)
    assert "✗REJECTED" in text
    assert "escapes:defectspassed58of15038.7%91of15060.7%+22.0points" in text
    assert "falsealarms:goodpartsstopped10of10010.0%0of1000.0%\u221210.0points" in text
    table = without_spaces(rest.partition("What the gate checks")[2])
    assert re.search(r"defectsfound,ownthreshold0.6130.393\u22120.220\[.*?\]lowerendabove-0.05✗failed", table)
    assert re.search(r"goodpartsstopped,ownthreshold0.1000.000\S+?\[.*?\]upperendbelow0.05✓passed", table)
    assert "止められた良品" in Page(render(report, usual[1], "ja").partition('aria-label="Data"')[0]).text


def test_a_first_model_shows_its_own_escapes_and_false_alarms(usual):
    text = without_spaces(usual[2].partition('aria-label="Data"')[0])
    assert "escapes:defectspassed16.1%" in text
    assert "falsealarms:goodpartsstopped4.8%" in text


def test_without_good_parts_the_page_says_that_errors_were_not_compared(better):
    text = " ".join(Page(better[1].partition('aria-label="Data"')[0]).text.split())
    assert "escapes and false alarms were not compared: there are no good and defective parts" in text


@pytest.mark.slow
def test_long_training_logs_are_thinned_but_keep_the_saved_epoch():
    report, evidence = evaluated(["good", "bad"], epochs=500)
    evidence.history["best_epoch"] = 333
    text = Page(render(report, evidence)).text
    assert "333 ◂ saved" in text
    assert "of 500 epochs are shown" in text


@pytest.mark.slow
def test_every_group_tested_once_is_shown(usual):
    metrics = {
        "good_tpr": Estimate(0.8768, (0.8111, 0.9222)),
        "good_fpr": Estimate(0.0432, (0.0123, 0.0987)),
        "good_auroc": Estimate(0.9753, (0.9512, 0.9874)),
        "mode_accuracy": Estimate(0.8642, (0.8321, 0.8888)),
    }
    groups = {HOSTILE: CrossedGroup(71, 30, 0.8135, 0.0667, 0.9268), "L2": CrossedGroup(9, 0, None, None, 0.7778)}
    cross = CrossFitting(
        sets=5, failed={"6/6": HOSTILE}, groups=12, records=1234, unit="group", metrics=metrics, by_group=groups,
        thresholds=(1.0,) * 5, test_threshold=1.2345,
    )  # fmt: skip
    html = render(replace(usual[0], cross=cross), usual[1])
    text = Page(html).text
    assert "<script" not in html
    head = " ".join(Page(html.partition("</header>")[0]).text.split())
    assert "With every group tested once: 12.3 % escapes (7.8 % – 18.9 %), 4.3 % false alarms (1.2 % – 9.9 %)" in head
    for shown in ("Set 6/6 was not tested", "1,234 records", "0.975", "0.864", "92.7\u202f%", "judged at 1.234"):
        assert shown in text
    empty = Page(render(replace(usual[0], cross=CrossFitting(sets=1, failed={"2/2": "collapsed"})), usual[1])).text
    assert "Fewer than two sets of groups could be tested" in empty
