"""What a Prefect server knows of a run: names, order, states, artifacts, logs."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from support.commands import SMALL
from support.flow_runs import in_place, run_flow
from support.inspected_parts import inspected, map_column, wide_records
from support.photographs import small_standard

from flows.retrain import retrain
from tasks.core.errors import BadSetting, SomeLinesFailed

pytestmark = pytest.mark.slow

WALK = ["resolve", "find", "champion", "download", "cache", "triplets", "train", "evaluate", "publish"]


def walked(server, run_id):
    """The names of a run's tasks in order, and the name of the state in which each ended."""
    return {run["name"]: run["state_name"] for run in server.tasks(run_id)}


def test_the_run_is_named_after_dataset_revision_and_preset(boards, server):
    run = server.get(f"/flow_runs/{boards.first.run_id}")
    assert run["name"] == f"boards@{boards.sha[:7]} notebook"
    assert (run["state_name"], run["state_type"]) == ("Released", "COMPLETED")
    assert run["state"]["message"] == "v1 is champion: the first of its line"
    assert run["parameters"]["config"]["train"] == "acme/boards"


def test_the_tasks_are_named_and_in_walking_order(boards, server):
    short = f"boards@{boards.sha[:7]}"
    states = walked(server, boards.first.run_id)
    assert [name.split()[0] for name in states if name.split()[0] in WALK] == WALK
    assert {"resolve acme/boards", f"download {short}", f"cache {short}", f"triplets {short}"} <= set(states)
    assert set(states.values()) == {"Completed"}


def test_stages_that_were_found_good_are_shown_as_cached(boards, server):
    """Another gate needs another judgement, and nothing else."""
    assert boards.again.told["status"] == "rejected", boards.again.err
    states = walked(server, boards.again.run_id)
    cached = [name.split()[0] for name, state in states.items() if state == "Cached"]
    assert cached == ["cache", "triplets", "train"]
    assert "epoch" not in boards.again.err


def test_a_rejection_is_no_failure_and_leaves_the_champion(boards, server):
    told = boards.again.told
    run = server.get(f"/flow_runs/{boards.again.run_id}")
    assert (run["state_name"], run["state_type"]) == ("Rejected", "COMPLETED")
    assert run["state"]["message"] == f"{'; '.join(told['reasons'])}; champion: v1"
    assert told["champion"] == "v1"
    assert told["release"] is None
    assert any("does not beat" in reason for reason in told["reasons"])
    report = json.loads((boards.place.folder / told["path"] / "report.json").read_text())
    (change,) = report["setting_changes"]
    assert change["setting"] == "gate.beat_raw_by"
    assert (boards.place.folder / told["path"] / "report.html").exists()


def test_the_artifacts_are_there_under_their_keys(boards, server):
    made = server.artifacts(boards.first.run_id)
    kinds = {key: artifact["type"] for key, artifact in made.items()}
    assert (
        kinds.items()
        >= {
            "findings-acme-boards": "table",
            "data-acme-boards": "markdown",
            "training-acme-boards": "progress",
            "figures-acme-boards": "table",
            "verdict-acme-boards": "markdown",
            "roc-acme-boards": "image",
            "confusion-acme-boards": "image",
            "history-acme-boards": "image",
        }.items()
    )
    assert made["confusion-acme-boards"]["description"].endswith("modes: 1 0, 2 1, 3 2")
    checks = {row["check"]: row["verdict"] for row in json.loads(made["findings-acme-boards"]["data"])}
    assert checks["finite values"] == checks["columns present"] == "✓ ok"
    figures = {row["figure"]: float(row["value"]) for row in json.loads(made["figures-acme-boards"]["data"])}
    assert list(figures)[:2] == ["escapes", "false alarms"]
    assert figures["verification AUROC"] == pytest.approx(boards.first.told["metrics"]["auroc"], abs=1e-4)
    assert re.search(r"epoch \d+/15: loss \d", made["training-acme-boards"]["description"])


def test_the_data_artifact_counts_every_record(boards, server):
    text = server.artifacts(boards.first.run_id)["data-acme-boards"]["data"]
    total = re.search(r"\*\*all\*\* \|(.+)\|", text).group(1)
    assert sum(int(count) for count in total.split("|")) == 600
    assert "| train | validation | calibration | test |" in text


def test_the_verdict_says_what_came_of_it_and_where_the_report_lies(boards, server):
    for done, words in ((boards.first, "# RELEASED: v1"), (boards.again, "# REJECTED")):
        text = server.artifacts(done.run_id)["verdict-acme-boards"]["data"]
        assert text.startswith(words)
        assert boards.sha[:12] in text
        address = f"{boards.place.env['KENSA_PAGES_URL']}/{done.told['path'].partition('/')[2]}/report.html"
        assert f"[Report]({address})" in text
    assert "does not beat" in text


def test_a_failed_run_shows_its_findings_and_no_traceback(served, server):
    parts = inspected()
    parts.maps[3, 7] = np.nan
    (served.folder / "night shift").mkdir()
    pq.write_table(wide_records(parts), served.folder / "night shift" / "train.parquet")
    done = served.kensa("retrain", "--train", "night shift")
    assert done.code == 2, done.err
    run = server.get(f"/flow_runs/{done.run_id}")
    assert run["state_type"] == "FAILED"
    assert "finite values: 1 maps with NaN" in run["state"]["message"]
    assert run["name"].startswith("night shift@")
    table = json.loads(server.artifacts(done.run_id)["findings-night-shift"]["data"])
    assert [row["check"] for row in table if row["verdict"] == "✗ failed"] == [table[0]["check"]] == ["finite values"]
    logs = server.logs(done.run_id)
    assert any("night shift cannot be" in line and "finite values" in line for line in logs)
    assert not any("Traceback" in line for line in logs)
    states = walked(server, done.run_id)
    assert [name.split()[0] for name, state in states.items() if state == "Failed"] == ["cache"]
    assert "train" not in states


def test_too_few_good_records_for_the_target_are_known_before_the_training(served, server):
    (served.folder / "few").mkdir()
    pq.write_table(wide_records(inspected(modes=3, each=80)), served.folder / "few" / "train.parquet")
    done = served.kensa("retrain", "--train", "few")
    assert done.code == 2, done.err
    line = "few cannot be trained on: enough good calibration records: expected 20 at least for evaluate.target=0.05"
    assert line in done.err
    assert "train" not in walked(server, done.run_id)
    table = json.loads(server.artifacts(done.run_id)["findings-few"]["data"])
    assert table[0]["check"] == "enough good calibration records"


def test_lines_on_one_dataset_are_told_apart_and_the_run_of_all_shows_what_came_of_each(
    served, server, hidden, tmp_path
):
    (served.folder / "parts").mkdir()
    pq.write_table(map_column(hidden(160)), served.folder / "parts" / "table.parquet")
    shutil.copyfile(small_standard(tmp_path / "standard") / "standard.npz", served.folder / "parts" / "standard.npz")
    words = ", ".join(f'"{key}={value}"' for key, value in SMALL.items())
    lines = {"terminal": "./parts", "nihon": "./parts", "absent": "./absent"}
    texts = [
        f'[lines.{name}]\ntrain = "{train}"\npreset = "notebook"\nset = [{words}]\n' for name, train in lines.items()
    ]
    (served.folder / "kensa.toml").write_text("".join(texts))
    with in_place(served.folder, server):
        run = run_flow(retrain, line="all")
        changed = run_flow(retrain, line="terminal", settings=["gate.beat_raw_by=1"])
        mistaken = run_flow(retrain, line="terminal", settings=["fit.epochs=many"])
    assert isinstance(run.error, SomeLinesFailed)
    carried = served.folder / "artifacts" / "terminal" / "releases" / "v1" / "standard.npz"
    assert carried.exists(), "the release carries the standard of the photographs behind its maps"
    assert (changed.result.status, changed.result.champion) == ("rejected", "v1"), "for this run, the gate is another"
    assert isinstance(mistaken.error, BadSetting)
    assert server.get(f"/flow_runs/{run.id}")["name"].startswith("all lines 20")
    runs = server.filter("flow_runs", flow_runs={"parent_flow_run_id": {"any_": [run.id]}}, sort="START_TIME_ASC")
    assert [one["name"].split("@")[0] for one in runs] == ["terminal parts", "nihon parts", "absent …"]
    assert [one["tags"] for one in runs[:2]] == [["terminal"], ["nihon"]]
    first, second = (server.artifacts(one["id"]) for one in runs[:2])
    assert {"verdict-parts", "figures-parts"} <= set(first)
    assert {"verdict-parts-nihon", "figures-parts-nihon"} <= set(second), "the key of the first line stays as it was"
    assert second["verdict-parts-nihon"]["description"].startswith("nihon: released")
    table = server.artifacts(run.id)["lines"]
    assert table["description"] == "What came of 3 lines, 1 failed"
    rows = table["data"].splitlines()[2:]
    assert [row.split(" | ")[:2] for row in rows] == [
        ["| terminal", "**released**"],
        ["| nihon", "**released**"],
        ["| absent", "**failed**"],
    ]
    assert "no such folder" in rows[2]
    assert all(f"[run](../../runs/flow-run/{one['id']})" in row for one, row in zip(runs, rows, strict=True))
