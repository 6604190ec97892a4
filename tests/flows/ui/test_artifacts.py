"""What a person reads in Prefect's UI and in the report, in a real browser that reaches nothing but this machine."""

from __future__ import annotations

import io
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.fake_hub import Fault, Hub
from support.inspected_parts import map_column, pairs_within, wide_triplets

pytestmark = pytest.mark.slow


def reads(page, *texts):
    """Waits until the page shows each of `texts`."""
    for text in texts:
        page.get_by_text(text).first.wait_for()


def test_the_run_page_shows_the_run_its_tasks_and_what_was_cached(page, server, boards):
    page.goto(f"{server.url}/v2/runs/flow-run/{boards.again.run_id}?tab=TaskRuns")
    short = f"boards@{boards.sha[:7]}"
    reads(page, f"{short} notebook", "3 Cached", f"cache {short}", f"triplets {short}", "resolve acme/boards")
    rows = page.inner_text("body")
    assert re.search(rf"cache {short}\s+Cached", rows)
    assert re.search(r"publish\s+Completed", rows)


def test_the_older_ui_shows_the_same(page, server, boards):
    page.goto(f"{server.url}/runs/flow-run/{boards.again.run_id}")
    reads(page, f"boards@{boards.sha[:7]} notebook", "Rejected", re.compile("Cached.'kept: data/cache/records-"))


def test_the_artifacts_tab_leads_to_the_verdict(page, server, boards):
    page.goto(f"{server.url}/v2/runs/flow-run/{boards.first.run_id}?tab=Artifacts")
    kinds = ("findings", "data", "training", "figures", "verdict")
    reads(page, *(f"{kind}-acme-boards" for kind in kinds), re.compile(r"released, AUROC 0\.\d{3}"))
    page.get_by_text("verdict-acme-boards", exact=True).first.click()
    verdict = server.artifacts(boards.first.run_id)["verdict-acme-boards"]
    page.get_by_role("link", name=verdict["id"][:8]).click()
    page.get_by_role("heading", name="RELEASED: v1").wait_for()
    reads(page, "acme/boards", boards.sha[:12], "Champion:")


def test_the_verdict_s_link_opens_the_report(page, server, boards):
    verdict = server.artifacts(boards.first.run_id)["verdict-acme-boards"]
    page.goto(f"{server.url}/v2/artifacts/artifact/{verdict['id']}")
    address = page.get_by_role("link", name="Report", exact=True).get_attribute("href")
    page.goto("about:blank")  # or the UI goes on to complain that its analytics are refused
    page.complaints.clear()
    assert page.goto(address).status == 200
    assert "PASSES THE GATE" in page.inner_text("h1")
    assert not [complaint for complaint in page.complaints if "Content Security Policy" in complaint]


@pytest.mark.parametrize("ui", ["/v2", ""], ids=["newer", "older"])
@pytest.mark.parametrize("kind", ["roc", "confusion", "history"])
def test_the_pictures_are_shown(page, server, boards, kind, ui):
    picture = server.artifacts(boards.first.run_id)[f"{kind}-acme-boards"]
    page.goto(f"{server.url}{ui}/artifacts/artifact/{picture['id']}")
    shown = page.locator(f"img[src='{picture['data']}']")
    shown.wait_for()
    assert shown.evaluate("image => image.decode().then(() => image.naturalWidth)") > 300


def test_a_rejection_says_why(page, server, boards):
    verdict = server.artifacts(boards.again.run_id)["verdict-acme-boards"]
    page.goto(f"{server.url}/v2/artifacts/artifact/{verdict['id']}")
    page.get_by_role("heading", name="REJECTED").wait_for()
    reads(page, re.compile(r"verification AUROC 0\.\d+ does not beat the raw map"), re.compile("Champion: v1"))


def test_the_table_of_checks_is_a_table(page, server, boards):
    findings = server.artifacts(boards.first.run_id)["findings-acme-boards"]
    page.goto(f"{server.url}/v2/artifacts/artifact/{findings['id']}")
    reads(page, "finite values", "600 rows, 600 distinct records")
    assert page.get_by_text("✓ ok").count() >= 8


def test_the_table_of_figures_is_one_page_and_errors_come_first(page, server, boards):
    figures = server.artifacts(boards.again.run_id)["figures-acme-boards"]
    page.goto(f"{server.url}/v2/artifacts/artifact/{figures['id']}")
    reads(page, "Page 1 of 1", "the champion v1 on the same", "verification AUROC")
    cells = [[cell.strip() for cell in row.split("\t")] for row in page.locator("tr").all_inner_texts()]
    assert cells[0] == ["figure", "value", "interval", "champion"]
    assert [row[0] for row in cells[1:3]] == ["escapes", "false alarms"]
    assert all(row[3] for row in cells[1:10]), "the champion's value beside each"


@pytest.mark.parametrize(("run", "verdict"), [("first", "PASSES THE GATE"), ("again", "REJECTED")])
def test_the_report_needs_nothing_but_itself(page, boards, run, verdict):
    told = getattr(boards, run).told
    report = boards.place.folder / told["path"] / "report.html"
    page.goto(report.resolve().as_uri())
    assert verdict in page.inner_text("h1")
    text = page.inner_text("body")
    assert f"{told['metrics']['auroc']:.3f}" in text
    assert f"{told['metrics']['angular_accuracy_at_0.5']:.3f}" in text
    assert "acme/boards" in text
    assert boards.sha[:8] in text
    assert all(reason.split()[0] in text for reason in told["reasons"])
    pictures = page.locator("svg, img")
    assert pictures.count() >= 10
    sizes = pictures.evaluate_all("all => all.map(one => [one.getBoundingClientRect().width, one.naturalWidth ?? 1])")
    assert all(shown > 0 and loaded > 0 for shown, loaded in sizes), "a picture that is not there"
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "wider than the window"
    assert page.complaints == []
    assert [url for url in page.asked if not url.startswith("data:")] == [report.resolve().as_uri()]


def test_the_report_can_be_read_on_a_phone(page, boards):
    page.set_viewport_size({"width": 400, "height": 800})
    page.goto((boards.place.folder / boards.first.told["path"] / "report.html").resolve().as_uri())
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "wider than the window"
    reads(page, "Distances by kind of pair", "Values of the curves", "Worst misclassifications")
    shapes = page.locator("figure > img").evaluate_all("all => all.map(one => [one.clientWidth, one.clientHeight])")
    assert len(shapes) >= 7
    assert all(width > 300 and height > 100 for width, height in shapes), "too small to be read"


@pytest.fixture(scope="module")
def stumbled(a_place, server, hidden, tmp_path_factory):
    """The Hub answers 503 twice for the dataset's facts, then cuts a download of more than 10 MiB."""
    parts, rng = hidden(), np.random.default_rng(0)
    table = wide_triplets(parts, pairs_within(parts, np.zeros(len(parts)), 1500))
    table = table.append_column("picture", pa.array([rng.bytes(9000) for _ in range(1500)]))
    file = io.BytesIO()
    pq.write_table(table, file)
    assert len(file.getvalue()) > 12 * 2**20, "the client keeps what came in pieces of 10 MiB"
    home = tmp_path_factory.mktemp("stumbled")
    with Hub() as hub:
        sha = hub.commit("acme/triplets", {"data/train.parquet": file.getvalue()})
        hub.faults += [
            Fault("/api/datasets/acme/triplets", status=503, times=2),
            Fault("train.parquet", method="GET", cut_after=11 * 2**20),
        ]
        place = a_place(home / "place", {**hub.env(home), **server.env})
        yield hub, sha, place.kensa("retrain", "--train", "acme/triplets", "--json", "--set", "fit.epochs=1")


def test_a_hub_that_stumbles_is_asked_again_until_the_run_is_done(stumbled):
    hub, sha, done = stumbled
    assert done.code == 0, done.err
    assert "Traceback" not in done.err
    assert done.told["status"] in ("released", "rejected")
    assert done.told["train"]["revision"] == sha
    assert done.told["train"]["source_kind"] == "wide triplets"
    assert all(fault.times == 0 for fault in hub.faults)
    gets = [seen.status for seen in hub.requests if seen.method == "GET" and "train.parquet" in seen.path]
    assert gets[0] == 200
    assert set(gets[1:]) == {206}, "the rest of the file, not all of it again"


def test_prefect_keeps_each_retry(stumbled, server):
    _, _, done = stumbled
    [resolve] = [run for run in server.tasks(done.run_id) if run["name"] == "resolve acme/triplets"]
    assert (resolve["run_count"], resolve["state_type"]) == (3, "COMPLETED")
    states = [state["name"] for state in server.get(f"/task_run_states/?task_run_id={resolve['id']}")]
    assert states.count("Retrying") == 2


def test_the_run_page_shows_the_retries(page, stumbled, server):
    _, _, done = stumbled
    page.goto(f"{server.url}/v2/runs/flow-run/{done.run_id}?tab=Logs")
    reads(
        page, re.compile("the Hub answers 503"), re.compile("Retry 1/4 will start"), re.compile("Retry 2/4 will start")
    )


HOSTILE = (
    "<script>alert('mode')</script>",
    '"><img src=http://127.0.0.1:9/pixel.png onerror=alert(1)>',
    "[a](javascript:alert(2)) ![b](http://127.0.0.1:9/c.png) http://127.0.0.1:9/d www.e.example f@g.example",
)


@pytest.fixture(scope="module")
def attacked(a_place, server, hidden, tmp_path_factory):
    """A retraining whose modes, groups and folder have names that want to be markup."""
    place = a_place(tmp_path_factory.mktemp("attacked") / "place", server.env)
    table = map_column(hidden()).to_pandas()
    table["fmode"] = [HOSTILE[code] for code in table["fmode"]]
    table["group"] = [f"{HOSTILE[row % 3]} {row % 7}" for row in range(len(table))]
    source = place.folder / "<img src=x onerror=alert(3)> www.e.example f@g.example"
    source.mkdir()
    pq.write_table(pa.Table.from_pandas(table), source / "t.parquet")
    done = place.kensa("retrain", "--train", source.name, "--json", "--set", "fit.epochs=3")
    assert done.code == 0, done.err
    return place, done


def test_names_of_a_dataset_stay_text_in_the_ui_and_in_the_report(page, attacked, server):
    """No script runs, no picture is fetched, no link of theirs is there; the names can be read."""
    place, done = attacked
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    report = (place.folder / done.told["path"] / "report.html").resolve().as_uri()
    artifacts = {key: item for key, item in server.artifacts(done.run_id).items() if "training" not in key}
    pages = {
        f"{server.url}/v2/artifacts/artifact/{item['id']}": key.startswith("data") for key, item in artifacts.items()
    }
    pages |= {
        f"{server.url}/artifacts/artifact/{item['id']}": False for item in artifacts.values() if item["type"] == "table"
    }
    pages |= {f"{server.url}/v2/runs/flow-run/{done.run_id}?tab=TaskRuns": False, report: True}
    assert len(pages) >= 5
    assert sum(pages.values()) == 2, "the table of records by mode, and the report"
    for address, has_modes in pages.items():
        page.goto(address)
        page.wait_for_load_state("networkidle")
        if has_modes:
            reads(page, "alert('mode')")
        links = page.locator("a").evaluate_all("all => all.map(one => one.getAttribute('href') || '')")
        bad = [link for link in links if re.search(r"javascript:|127\.0\.0\.1:9/|mailto:|www\.e\.", link)]
        assert bad == [], address
        assert page.locator("img[src*='127.0.0.1:9/'], img[src='x']").count() == 0, address
    assert dialogs == []
    assert not [url for url in page.asked if url.startswith("http://127.0.0.1:9/")]
