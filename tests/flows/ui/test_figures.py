"""The table of figures: errors first, in words, with intervals and the champion's value, on one page."""

from __future__ import annotations

from dataclasses import replace

from support.evaluations import holdout, more_escapes, report

from flows.ui.figures import figure_rows, figures_description

FOUND = holdout(
    0.9,
    good_auroc=0.97,
    good_auroc_interval=(0.95, 0.99),
    good_tpr_at_1_fpr=0.8,
    good_tpr=0.88,
    good_tpr_interval=(0.8, 0.94),
    good_fpr=0.04,
    good_fpr_interval=(0.01, 0.07),
)


def test_escapes_and_false_alarms_come_first_with_their_intervals():
    rows = figure_rows(replace(report(), metrics=FOUND, comparison=None))
    assert rows[0] == {"figure": "escapes", "value": "0.1200", "interval": "0.0600 – 0.2000", "champion": ""}
    assert rows[1] == {"figure": "false alarms", "value": "0.0400", "interval": "0.0100 – 0.0700", "champion": ""}
    assert len(rows) == 10, "Prefect's newer UI shows ten on a page"
    assert not any("_" in row["figure"] for row in rows)
    values = {row["figure"]: row for row in rows}
    assert values["verification AUROC"]["interval"] == "0.8500 – 0.9500"
    assert values["good-or-defect AUROC"]["interval"] == "0.9500 – 0.9900"


def test_the_champion_s_values_stand_beside():
    compared = replace(report(), metrics=FOUND, comparison=more_escapes())
    rows = {row["figure"]: row["champion"] for row in figure_rows(compared)}
    assert rows["escapes"] == f"{58 / 150:.4f}"
    assert rows["false alarms"] == f"{10 / 100:.4f}"
    assert float(rows["mode accuracy"]) == round(more_escapes().result.champion.mode_accuracy, 4)
    records = more_escapes().records
    assert figures_description(compared) == f"Metrics on 40 test records; the champion v3 on {records} of them"
    assert figures_description(replace(compared, comparison=None)) == "Metrics on 40 test records"


def test_what_the_records_do_not_give_is_left_out_and_the_words_are_translated():
    rows = figure_rows(replace(report(), metrics=holdout(), comparison=None), "ja")
    assert len(rows) == 6
    assert list(rows[0]) == ["数値", "値", "区間", "チャンピオン"]
    assert rows[0]["数値"] == "照合 AUROC"
