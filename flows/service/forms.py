"""The forms of Prefect's UI as a person fills them in: a product line is chosen, and settings have a form of their own.

    python -m flows.service.forms

Run it after `prefect deploy`, which draws each form from all parameters of a flow, and after each change of kensa.toml.
Callers of the API are not bound to the form: parameters that it leaves out are still taken.
"""

from __future__ import annotations

import copy
import sys
from typing import Any

from prefect.client.orchestration import SyncPrefectClient

from flows.service.lines import LINES_FILE, FactoryConfig, read_lines, run_for_lines
from flows.service.server import configured_server, connect
from flows.ui.candidate_texts import evidence
from tasks.registry.candidates import waiting_candidate
from tasks.report.translation import translator

APPROVALS = "flows/champion.py:approve"  # whose form shows the candidates that wait, and what speaks for them
WAITING = "  Waiting: "  # between what the flow says of its parameter and the candidates
LONG_FORM = "with-settings"  # the deployment of retrain whose form has every setting, and no line
OF_ALL_LINES = {"retrain", "drift"}  # flows whose line may be `all`
Schema = dict[str, Any]


def draw_form(schema: Schema, flow: str, deployment: str, lines: list[str]) -> Schema:
    """The form of a deployment of this flow, from the schema of all parameters."""
    form = copy.deepcopy(schema)
    properties = form["properties"]
    if flow == "retrain":
        parameters = {"config"} if deployment == LONG_FORM else set(properties) - {"config"}
        form["properties"] = properties = {name: field for name, field in properties.items() if name in parameters}
        form["definitions"] = form.get("definitions", {}) if "config" in parameters else {}
        form["required"] = (
            ["line"] if "line" in parameters else []
        )  # without one, the demonstration part would be retrained
    if flow == "approve":
        properties.pop("line", None)
        form["required"] = ["candidate", "reason"]
    if "line" in properties:
        choices = ["all", *lines] if flow in OF_ALL_LINES else lines
        properties["line"] = _choice(properties["line"], choices)
    return form


def draw_approvals(form: Schema, waiting: dict[str, str]) -> Schema:
    """The form of `approve` with the candidates to choose from; waiting: what speaks for each, by line and name."""
    form = copy.deepcopy(form)
    field = form["properties"]["candidate"]
    text = field.get("description", "").partition(WAITING)[0]
    field = {key: value for key, value in field.items() if key != "enum"}
    listed = " ".join(f"{name}: {evidence}" for name, evidence in waiting.items()) or "none."
    field["description"] = f"{text}{WAITING}{listed}"
    form["properties"]["candidate"] = field | ({"enum": list(waiting)} if waiting else {})
    return form


def waiting_candidates(lines: FactoryConfig) -> dict[str, str]:
    """What speaks for each candidate that waits, by its line and name, such as `boards v3`."""
    waiting = {}
    for name, line in lines.by_name.items():
        if candidate := waiting_candidate(line.config.artifacts_path):
            say = translator(line.config.report.language)
            waiting[f"{name} {candidate.release.version}"] = "; ".join(evidence(candidate.release, say)) + "."
    return waiting


def ensure_approvals() -> None:
    """Draw the form of `approve/on-demand` anew; nothing where there is no server, no such deployment, or no lines."""
    server = configured_server()
    if server is None or not LINES_FILE.exists():
        return
    waiting = waiting_candidates(read_lines())
    with connect(server) as client:
        for deployment in client.read_deployments():
            if deployment.entrypoint == APPROVALS:
                _update(client, str(deployment.id), draw_approvals(deployment.parameter_openapi_schema, waiting))


def _choice(field: Schema, choices: list[str]) -> Schema:
    """The field as a list to choose from; one that may be left out has no default, or the form would send null."""
    plain = {key: value for key, value in field.items() if key not in ("anyOf", "type", "enum")}
    if plain.get("default") is None:
        plain.pop("default", None)
    return {**plain, "type": "string", "enum": choices}


def ensure(lines: FactoryConfig) -> None:
    """Draw the form of each deployment of this folder's flows. Raises ServerUnreachable."""
    with connect(configured_server(), retries=5) as client:
        for deployment in client.read_deployments():
            path, _, flow = (deployment.entrypoint or "").rpartition(":")
            if path.startswith("flows/"):
                form = draw_form(deployment.parameter_openapi_schema, flow, deployment.name, list(lines.by_name))
                if flow == "approve":
                    form = draw_approvals(form, waiting_candidates(lines))
                _update(client, str(deployment.id), form)


def _update(client: SyncPrefectClient, deployment: str, form: Schema) -> None:
    """Not by `update_deployment`, which sends every field."""
    client.request("PATCH", f"/deployments/{deployment}", json={"parameter_openapi_schema": form})


def main() -> int:
    """The command; returns the exit code."""
    return run_for_lines(ensure)


if __name__ == "__main__":
    sys.exit(main())
