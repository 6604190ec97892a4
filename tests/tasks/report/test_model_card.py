"""The model card: metadata that the Hub can read, whatever a dataset is called, and a page made from the run."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import yaml
from support import releases
from support.evaluations import comparison, difference, holdout, impossible, mode_difference, pairs, report

from tasks.config.model import TrainingConfig
from tasks.config.run import DataConfig, EvaluateConfig, GateConfig, RunConfig
from tasks.evaluation.evaluation_report import Baseline
from tasks.promotion.gate import comparison_summary
from tasks.registry.manifest import ReleaseManifest, SourceSummary
from tasks.report.model_card import model_card

HOSTILE = [
    'a"b',
    "a'b: c",
    "a\n---\nlicense: mit\n---\n<script>alert(1)</script>",
    "- [x]\r\n# y",
    "a`b`` c",
    "a\x7f\x85\x9b\u2028\u2029\ufeffz",
    "\udcff",
    "😀 部品 é",
    "a\\u0041",
    "*anchor &alias !!python/object:os.system",
    "{{ x }} %YAML 1.1",
    "",
]


INTERVALS = {"auroc": (0.85, 0.95), "mode_accuracy": (0.7, 0.9)}
METRICS = holdout(mode_accuracy=0.8, good_auroc=0.95, good_auroc_interval=(0.9, 0.99), intervals=INTERVALS)
RAW_MAP = Baseline("raw map, rt", "raw map", pairs(0.7, mode_accuracy=0.75))
CARD_REPORT = report(metrics=METRICS, baselines=(RAW_MAP, Baseline("tower", "untrained tower", pairs(0.99))))
STORED_METRICS = ("auroc", "mode_accuracy", "average_precision", "good_auroc", "angular_accuracy_at_0.5")


def manifest(source: str = "acme/boards", kind: str = "hub", config: RunConfig | None = None) -> ReleaseManifest:
    return releases.manifest(
        version="v3",
        train=SourceSummary(source=source, kind=kind, revision="0123456789abcdef", records=200, modes=3),
        config=dataclasses.asdict((config or RunConfig()).resolved()),
        metrics={name: METRICS.plain_numbers()[name] for name in STORED_METRICS},
    )


def card(*words: Any, **named: Any) -> tuple[dict[str, Any], str]:
    """Front matter, as the Hub's own parser takes it apart, and body."""
    text = model_card(manifest(*words, **named), CARD_REPORT)
    start, front, body = text.split("---\n", 2)
    assert start == ""
    return yaml.safe_load(front), body


def test_the_metadata():
    front, _ = card()
    assert front["library_name"] == "keras"
    assert front["datasets"] == ["acme/boards"]
    (model,) = front["model-index"]
    (result,) = model["results"]
    assert result["dataset"] == {"name": "acme/boards", "type": "acme/boards", "revision": "0123456789abcdef"}
    values = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert values["auroc"] == 0.9
    assert values["angular_accuracy_at_0.5"] == 0.5
    assert "triplet_accuracy" not in values  # this run has none


def test_the_hubs_own_library_reads_it():
    from huggingface_hub import ModelCard

    data = ModelCard(model_card(manifest(), CARD_REPORT)).data
    assert data.datasets == ["acme/boards"]
    assert 0.9 in [found.metric_value for found in data.eval_results]
    assert (data.pipeline_tag, data.library_name) == ("feature-extraction", "keras")
    assert {found.dataset_revision for found in data.eval_results} == {"0123456789abcdef"}


def test_only_hub_datasets_are_linked():
    assert card("demo", "demo")[0]["datasets"] == []
    assert card("acme/a#part=x; s3://acme/b; acme/c", "several")[0]["datasets"] == ["acme/a", "acme/c"]


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_no_name_of_a_dataset_breaks_out(name):
    front, body = card(name, "folder")
    plain, _ = card()
    assert set(front) == set(plain)
    assert front["model-index"][0]["results"][0]["dataset"]["name"] == name
    assert len(body.splitlines()) == len(card()[1].splitlines())
    assert not [line for line in body.splitlines() if line.startswith(("---", "license", "<"))]


@pytest.mark.parametrize("name", ["a`<b>", "``<b>``", "`", "a`` ` ```<b>"])
def test_no_name_ends_its_inline_code(name):
    """Inline code ends at as many backticks as began it: the fence is longer than any run within."""
    _, body = card(name, "folder")
    line = next(line for line in body.splitlines() if line.startswith("- trained on"))
    fence = line.removeprefix("- trained on ").split(" ")[0]
    inner = line.removeprefix(f"- trained on {fence} ").partition(f" {fence} at revision")[0]
    assert set(fence) == {"`"}
    assert inner == name
    assert fence not in inner


def test_no_setting_breaks_out_of_its_table():
    config = RunConfig(preset="notebook", data=DataConfig(good="a|b`c", group="x\n| y"))
    _, body = card(config=config)
    rows = [line for line in body.splitlines() if line.startswith("| **data.")]
    assert rows == ["| **data.good** | `` a\\|b`c `` |", "| **data.group** | `x \\| y` |"]


def test_settings_that_differ_come_first():
    _, body = card(config=RunConfig(preset="notebook", fit=TrainingConfig(margin=0.7, epochs=20)))
    rows = body.split("## Settings")[1].split("## ")[0].strip().splitlines()[2:]
    assert rows[0] == "| **fit.margin** | `0.7` |"
    assert not any("**" in row for row in rows[1:])  # epochs=20 is the preset's own
    assert "| tower.widths | `512-256-128` |" in rows


def test_figures_have_intervals_and_the_best_raw_map():
    _, body = card()
    assert "| verification AUROC | 0.900 | 0.850 – 0.950 | 0.700 |" in body  # the untrained tower's .99 is no raw map's
    assert "| mode accuracy | 0.800 | 0.700 – 0.900 | 0.750 |" in body
    assert "| good-or-defect AUROC | 0.950 | 0.900 – 0.990 |  |" in body
    assert "| angular accuracy at 0.5 (the notebook's) | 0.500 |  |  |" in body


def test_the_log_marks_the_saved_epoch():
    _, body = card()
    rows = [line for line in body.splitlines() if "(saved)" in line]
    assert rows == ["| 2 (saved) | 0.5000 | 0.5000 | 0.800 | 0.600 | 50.0% |"]


def test_a_rejected_card_says_why():
    told = dataclasses.replace(manifest(), status="rejected", reasons=("too weak", "no threshold"))
    assert "- status: **rejected**\n- too weak\n- no threshold\n" in model_card(told, CARD_REPORT)


def test_the_differences_from_the_champion_stand_in_the_card():
    modes = {"dent": mode_difference(0.0123, (0.0051, 0.019)), "a|b`<i>\n# c": mode_difference(-1.0, None, 3)}
    figures = {"auroc": difference(0.0123, 0.007), "mode_accuracy": difference(-0.01, 0.01)}
    compared = comparison(modes=modes, figures=figures)
    body = model_card(manifest(), report(comparison=compared, verdict=comparison_summary(compared, GateConfig())))
    section = body.partition("## Against the champion v3\n\n")[2].partition("\n\n## ")[0].splitlines()
    assert section[0].startswith("escapes and false alarms were not compared: there are no good")
    assert section[2].startswith("better than the champion v3: verification AUROC difference +0.0123")
    assert section[3:] == [
        "",
        "| challenger − champion | difference, each end with 95 % confidence |",
        "| --- | --- |",
        "| auroc | +0.0123 [+0.0053, +0.0193] |",
        "| mode accuracy | -0.0100 [-0.0200, +0.0000] |",
        "| accuracy of mode `dent` (40) | +0.0123 [+0.0051, +0.0190] |",
        "| accuracy of mode `` a\\|b`<i> # c `` (3) | -1.0000, too few records for an interval |",
    ]


def test_a_card_without_a_champion_says_nothing_of_one():
    assert "Against" not in card()[1]


def test_a_comparison_that_failed_stands_in_the_card():
    failed = impossible()
    body = model_card(manifest(), report(comparison=failed, verdict=comparison_summary(failed, GateConfig())))
    assert "## Against the champion v3\n\ncannot be compared with the champion v3: too few\n\n## The tower" in body


def test_no_modes_name_in_a_reason_becomes_markdown_or_html():
    told = dataclasses.replace(
        manifest(), status="rejected", reasons=("no longer knows <b>*x*</b>\n## y, which v2 does",)
    )
    body = model_card(told, CARD_REPORT)
    assert "\n- no longer knows \\<b\\>\\*x\\*\\</b\\> \\#\\# y, which v2 does\n" in body


def test_the_shifts_are_told_where_there_are_several():
    said = "an embedding is the mean over 5 shifts of the map"
    assert said in card(config=RunConfig(evaluate=EvaluateConfig(shifts=5)))[1]
    assert "shifts of the map" not in card()[1]


def test_the_fused_score_is_told_where_it_is_used():
    said = "good or defect by that distance and the map's peak, fused"
    assert said in card(config=RunConfig(evaluate=EvaluateConfig(score="fused")))[1]
    assert said not in card()[1]
