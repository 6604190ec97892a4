"""A person's walk through Prefect's UI, from the dashboard to the form of a deployment, which explains itself."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import sys

import pytest
from playwright.sync_api import TimeoutError as Timeout
from support.factory import until
from support.inspected_parts import release
from support.project import ROOT

from flows.score import VERDICTS
from tasks.config.run import RunConfig
from tasks.evaluation.comparison_report import ComparisonSummary, RateDifference
from tasks.registry.champion import promote

COMPARISON = ComparisonSummary(
    version="v1",
    frozen="f1",
    champion_frozen="f1",
    records=150,
    seen=0,
    verdict="better than the champion v1: good-or-defect AUROC difference +0.0210 [+0.0042, +0.0377]",
    figure="good_auroc",
    escapes=RateDifference(-0.03, (-0.06, 0.01), 100, 5, 8, 4, 1),
    false_alarms=RateDifference(0.0, (-0.05, 0.05), 50, 4, 4, 1, 1),
).as_json()
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def deployed(a_place, server, tmp_path_factory):
    """Deployments of prefect.yaml whose forms a person fills in, of two lines; no worker takes what is submitted."""
    place = a_place(tmp_path_factory.mktemp("deployed") / "place", server.env)
    for part in ("flows", "tasks", "prefect.yaml"):
        (place.folder / part).symlink_to(ROOT / part)
    (place.folder / "kensa.toml").write_text('[lines.terminal]\ntrain = "demo"\n[lines.nihon]\ntrain = "demo"\n')
    names = (
        "retrain/on-new-version",
        "retrain/with-settings",
        "score/on-demand",
        "promote/promote",
        "approve/on-demand",
    )
    chosen = [word for name in names for word in ("--name", name)]
    for words in (("work-pool", "create", "kensa", "--type", "process", "--overwrite"), ("deploy", *chosen)):
        done = place.run("prefect", "--no-prompt", *words, KENSA_ROOT=str(place.folder))
        assert done.code == 0, done.out + done.err
    artifacts = place.folder / "artifacts" / "nihon"
    release(artifacts, "v1")
    promote(artifacts, "v1")
    release(artifacts, "v2", status="candidate", compared_with="v1", comparison=COMPARISON, fingerprint="c" * 64)
    done = place.run(sys.executable, "-m", "flows.service.forms")
    assert done.code == 0, done.err


def to_form(page, server, flow, name):
    """From any page, by the menu, to the form of a deployment, which is searched for: other tests deploy, too."""
    page.get_by_role("link", name="Deployments", exact=True).first.click()
    page.get_by_placeholder("Search deployments", exact=True).fill(name)
    page.wait_for_url(lambda url: name in url.partition("?")[2])
    deployment = deployment_of(server, flow, name)
    until(lambda: opened(page, deployment, name), 60, "the page of the deployment is open")
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Custom run").click()
    page.get_by_role("heading", name="Parameters").wait_for()

    return deployment


def opened(page, deployment, name):
    """Click on a deployment in the list; the list follows the search, and its new drawing undoes a click."""
    with contextlib.suppress(Timeout):
        page.locator(f"a[href*='{deployment['id']}']", has_text=name).first.click(timeout=5000)
        page.wait_for_url(lambda url: f"/deployment/{deployment['id']}" in url.partition("?")[0], timeout=5000)
    return f"/deployment/{deployment['id']}" in page.url


def deployment_of(server, flow, name):
    """One deployment: a flow has several, and a name belongs to several flows."""
    flows, deployments = {"name": {"any_": [flow]}}, {"name": {"any_": [name]}}
    [deployment] = server.filter("deployments", flows=flows, deployments=deployments)
    return deployment


def runs_of(server, deployment):
    """The ids of a deployment's runs: other tests submit some, too."""
    return {run["id"] for run in server.filter("flow_runs", deployments={"id": {"any_": [deployment["id"]]}})}


def submitted(page, server, deployment):
    """Submit the form: the one run that this adds to the deployment."""
    before = runs_of(server, deployment)
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url(lambda url: not url.partition("?")[0].endswith("/run"))
    [added] = runs_of(server, deployment) - before
    return server.get(f"/flow_runs/{added}")


def to_form_of(page, server, flow, name):
    """To the form of a deployment by its address."""
    deployment = deployment_of(server, flow, name)
    page.goto(f"{server.url}/v2/deployments/deployment/{deployment['id']}/run")
    page.get_by_role("heading", name="Parameters").wait_for()
    return deployment


def explained(page):
    """The form's fields as they are read: each label with the line below it, in order, the sections' too."""
    page.locator("label + p").first.wait_for()
    found = page.locator("label:has(+ p)").evaluate_all(
        "all => all.map(one => [one.innerText, one.nextElementSibling.innerText])"
    )
    return [(label.removesuffix("(Optional)").strip().lower().replace(" ", "_"), text) for label, text in found]


def height(page):
    """Of the whole page in pixels, with what scrolls inside it."""
    return page.evaluate("Math.max(...[...document.querySelectorAll('*')].map(one => one.scrollHeight))")


def promised():
    """What stands in tasks/config/run.py, in the form's order: every field and its description."""
    for field in dataclasses.fields(RunConfig):
        yield field.name, field.metadata["description"]
        if isinstance(field.default_factory, type):
            yield from ((part.name, part.metadata["description"]) for part in dataclasses.fields(field.default_factory))


def test_a_walk_from_the_dashboard_to_the_form_of_a_retraining(page, server, boards, deployed):
    page.goto(f"{server.url}/v2/dashboard")
    for heading in ("Flow Runs", "Task Runs", "Work Pools"):
        page.get_by_text(heading).first.wait_for()
    page.get_by_role("link", name="Runs", exact=True).click()
    page.locator(f"a[href*='{boards.first.run_id}']").first.click()
    page.get_by_role("tab", name="Artifacts").click()
    for text in ("verdict-acme-boards", re.compile(r"released, AUROC 0\.\d{3}")):
        page.get_by_text(text).first.wait_for()
    deployment = to_form(page, server, "retrain", "on-new-version")
    fields = explained(page)
    assert [name for name, _ in fields] == ["line", "revision", "settings"]
    assert "all: each in turn" in fields[0][1]
    assert "a commit" in fields[1][1]
    assert height(page) <= page.viewport_size["height"], "it fits on the screen"
    line = page.get_by_role("button", name="Select line")
    line.click()
    assert page.get_by_role("option").all_inner_texts() == ["all", "terminal", "nihon"]
    page.get_by_role("option", name="nihon", exact=True).click()
    run = submitted(page, server, deployment)
    assert run["parameters"]["line"] == "nihon"
    assert [url for url in page.asked if not url.startswith(("http://127.0.0.1:", "data:", "blob:"))] == []


def test_every_setting_has_its_place_in_a_form_of_its_own(page, server, deployed):
    page.goto(f"{server.url}/v2/dashboard")
    to_form(page, server, "retrain", "with-settings")
    settings = list(promised())
    page.get_by_text(settings[-1][1]).first.wait_for()  # a form of so many fields is drawn bit by bit
    fields = explained(page)
    assert fields[0][0] == "config"
    assert fields[1:] == settings
    rows, preset = page.get_by_label("Rows (Optional)"), page.get_by_role("button", name="Select Preset")
    preset.click()
    assert page.get_by_role("option").all_inner_texts() == ["best", "rt", "notebook"]
    page.get_by_role("option", name="rt", exact=True).click()
    assert preset.inner_text() == "rt"
    form = page.url
    rows.fill("0")
    page.get_by_role("button", name="Submit").click()
    assert rows.evaluate("field => field.validationMessage") == "Value must be greater than or equal to 1."
    rows.fill("4096")
    assert rows.evaluate("field => field.validationMessage") == ""
    assert page.url == form, "a value out of bounds is not submitted"


OF_SOURCE = ("config", "part", "good")  # how a source is read that is not read as the training source


def test_the_form_that_judges_parts_starts_a_run_with_what_was_filled_in(page, server, deployed):
    page.goto(f"{server.url}/v2/dashboard")
    deployment = to_form_of(page, server, "score", "on-demand")
    fields = explained(page)
    assert [name for name, _ in fields] == ["source", "line", "release", "against", "out", *OF_SOURCE]
    assert all(len(text.split()) > 5 for _, text in fields), fields
    assert page.get_by_label("out (Optional)").input_value() == VERDICTS
    page.get_by_role("button", name="Select line").click()
    assert page.get_by_role("option").all_inner_texts() == ["terminal", "nihon"]
    page.keyboard.press("Escape")
    page.get_by_label("source", exact=True).fill("acme/boards")
    run = submitted(page, server, deployment)
    usual = {"release": None, "against": None, "out": VERDICTS, **dict.fromkeys(OF_SOURCE)}
    assert run["parameters"] == {"source": "acme/boards", **usual}
    assert run["state_type"] in ("SCHEDULED", "PENDING")


def test_a_candidate_is_chosen_with_what_speaks_for_it(page, server, deployed):
    deployment = to_form_of(page, server, "approve", "on-demand")
    page.get_by_text("better than the champion v1").first.wait_for()
    fields = dict(explained(page))
    assert list(fields) == ["candidate", "decision", "by", "reason"]
    assert (
        "8 → 5 of 100 (4 that the champion gets wrong are right, 1 that it gets right are wrong)" in fields["candidate"]
    )
    page.get_by_role("button", name="Select candidate").click()
    assert page.get_by_role("option").all_inner_texts() == ["nihon v2"]
    page.get_by_role("option", name="nihon v2", exact=True).click()
    page.get_by_label("by", exact=False).first.fill("M. Sato")
    page.get_by_label("reason").fill("fewer escapes on lot 7")
    run = submitted(page, server, deployment)
    wanted = {"candidate": "nihon v2", "decision": "approve", "by": "M. Sato", "reason": "fewer escapes on lot 7"}
    assert run["parameters"] == wanted
