"""docs/people.md from one end to the other, with real processes, a real browser, and a server like the Hub.

A wrong label is found in the queue and corrected by keyboard. It leaves as a commit, the watch sees the revision once,
the line retrains, the model waits as a candidate, is approved in the form of Prefect's UI, and serves. The trace of a
part and the journal tell it all.
"""

from __future__ import annotations

import json
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.browser import browser, page  # noqa: F401  # fixtures
from support.factory import BIN, NAME, Factory, until
from support.fake_hub import Hub
from support.inspected_parts import map_column
from support.prefect_server import free_port
from support.serving import VerdictService

from tasks.data.listing import DECIDED_FILE
from tasks.sources.decided_labels import read_decided

pytestmark = pytest.mark.slow

WRONG = (1, 4, 7, 10, 13)  # rows of mode 1 that are labelled as good ones
MARGINS = {f"gate.{name}_margin": 1 for name in ("escape", "false_alarm", "auroc", "accuracy", "mode")}
LINE = {"gate.approval": "required", "gate.better": "auroc", "data.id": "serial", **MARGINS}
WEAK = {"fit.epochs": 2, "fit.learning_rate": 0.001, "gate.figure": "average_precision"}


@pytest.fixture
def boards(tmp_path, hidden):
    """A factory whose dataset has some wrong labels, and whose first model is a weak one."""
    parts = hidden(200)
    table = map_column(parts).append_column("serial", pa.array([f"SN-{row}" for row in range(len(parts.maps))]))
    for column, name in ((parts.mode, "fmode"), (parts.label, "label")):
        values = [0 if row in WRONG else value for row, value in enumerate(column.tolist())]
        table = table.set_column(table.schema.get_field_index(name), name, pa.array(values))
    pq.write_table(table, tmp_path / "train.parquet")
    with Hub() as hub:
        first = hub.commit(NAME, {"train.parquet": tmp_path / "train.parquet"})
        made = Factory(tmp_path / "factory", hub, **LINE, **WEAK)
        made.env |= {"HF_TOKEN": "hf_writer"}
        try:
            made.start()
            yield made, first
            made.stop()
        finally:
            made.sweep()


def kensa(made, *words):
    done = made.run(BIN / "kensa", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def retrained(made, revision, count):
    """The watch announces the revision once, and its run ends as a candidate."""
    assert f"announced: boards@{revision}" in kensa(made, "watch", "--once")
    assert kensa(made, "watch", "--once").startswith("nothing new")
    ended = ("COMPLETED", "FAILED", "CRASHED")
    runs = until(
        lambda: [runs for runs in [made.runs()] if sum(run["state_type"] in ended for run in runs) == count],
        400,
        f"{count} runs have ended",
    )[0]
    assert (len(runs), runs[-1]["state_name"]) == (count, "Candidate"), runs[-1]["state"]


def correct_a_label(made, page):  # noqa: F811
    """By keyboard alone; returns the part's name."""
    address = r"kensa review: \d+ parts at (http://127\.0\.0\.1:\S+)"
    found = until(lambda: re.search(address, made.said()), 120, "the page is there")
    until(lambda: _answers(page, found[1]), 30, "the page answers")
    names = {f"SN-{row}" for row in WRONG}
    while (name := page.locator("h1").inner_text()) not in names:
        before = page.url
        page.keyboard.press("s")
        page.wait_for_url(lambda url, before=before: url != before)
    page.locator("#by").focus()
    page.keyboard.type("M. Sato")
    page.keyboard.press("Escape")
    before = page.url
    page.keyboard.press("1")
    page.wait_for_url(lambda url: url != before)
    page.screenshot(path=made.folder.parent / "review.png", full_page=True)
    page.keyboard.press("p")
    page.get_by_text("sent: 1").wait_for()
    return name


def _answers(page, address):  # noqa: F811
    try:
        return page.goto(address).ok
    except Exception:  # the browser's own error: nothing listens yet
        return False


def approve_in_the_form(made, page):  # noqa: F811
    (deployment,) = made.ask("/deployments/filter", {"flows": {"name": {"any_": ["approve"]}}})
    page.goto(f"http://127.0.0.1:{made.port}/v2/deployments/deployment/{deployment['id']}/run")
    page.get_by_role("heading", name="Parameters").wait_for()
    page.get_by_role("button", name="Select candidate").click()
    page.get_by_role("option", name="boards v2", exact=True).click()
    page.get_by_label("by", exact=False).first.fill("K. Ito")
    page.get_by_label("reason").fill("SN numbers of lot 7 are right now")
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url(lambda url: not url.partition("?")[0].endswith("/run"))
    pointer = made.folder / "artifacts" / "boards" / "champion.json"
    until(lambda: json.loads(pointer.read_text())["champion"] == "v2", 120, "v2 is champion")


def test_from_a_wrong_label_to_the_model_that_serves(boards, page, tmp_path):  # noqa: F811
    made, first = boards
    retrained(made, first, 1)
    kensa(made, "approve", "v1", "--line", "boards", "--by", "K. Ito", "--reason", "the first of its line")
    made.stop()
    made.words = ("--review", "boards", "--review-port", str(free_port()))
    made.start()
    name = correct_a_label(made, page)

    head = made.hub.files(NAME)
    (tmp_path / "labels.parquet").write_bytes(head[DECIDED_FILE])
    (label,) = read_decided(tmp_path / "labels.parquet")
    assert (label.part, label.was_mode, label.mode, label.label, label.by) == (name, "0", "1", "1", "M. Sato")
    second = made.hub.head(NAME)
    toml = made.folder / "kensa.toml"
    toml.write_text(toml.read_text().replace("fit.epochs=2", "fit.epochs=15").replace("=0.001", "=0.01"))
    retrained(made, second, 2)
    manifest = max(made.releases(), key=lambda one: one["created"])
    assert (manifest["train"]["revision"], manifest["compared_with"]) == (second, "v1")
    assert manifest["changes"]["relabelled"] == 1
    report = json.loads((made.folder / "artifacts/boards/releases/v2/report.json").read_text())
    assert report["data"]["decided"]["changed"] == 1
    approve_in_the_form(made, page)

    artifacts = made.folder / "artifacts" / "boards"
    with VerdictService(made.folder, artifacts) as service:
        assert service.get("/v1/release").json()["release"] == "v2"
    new = pq.read_table(tmp_path / "train.parquet").slice(0, 20)
    pq.write_table(new, made.folder / "new.parquet")
    kensa(made, "score", "new.parquet", "--artifacts", str(artifacts))
    assert f"{name}: 1 verdict" in kensa(made, "trace", name, "--line", "boards")
    traced = json.loads(kensa(made, "trace", name, "--line", "boards", "--json"))
    assert [(one["release"], one["part"]) for one in traced["verdicts"]] == [("v2", name)]
    assert [(one["by"], one["change"]) for one in traced["decisions"]] == [("M. Sato", "0 → 1")]
    told = json.loads(kensa(made, "journal", "--line", "boards", "--verify", "--json"))["listed"]
    assert [f"{one['event']} {one['subject']} by {one['by']}" for one in told if one["event"] != "candidate"] == [
        "approved v1 by K. Ito",
        f"label decided {name} by M. Sato",
        f"labels published {NAME} by M. Sato",
        "approved v2 by K. Ito",
    ]
    assert [one["subject"] for one in told if one["event"] == "candidate"] == ["v1", "v2"]
    assert "M. Sato" in (artifacts / "history.html").read_text()
    page.goto((artifacts / "history.html").as_uri())
