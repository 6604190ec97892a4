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

from flows.service.lines import FactoryConfig, run_for_lines
from flows.service.server import configured_server, connect

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
    if "line" in properties:
        choices = ["all", *lines] if flow in OF_ALL_LINES else lines
        properties["line"] = _choice(properties["line"], choices)
    return form


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
                _update(client, str(deployment.id), form)


def _update(client: SyncPrefectClient, deployment: str, form: Schema) -> None:
    """Not by `update_deployment`, which sends every field."""
    client.request("PATCH", f"/deployments/{deployment}", json={"parameter_openapi_schema": form})


def main() -> int:
    """The command; returns the exit code."""
    return run_for_lines(ensure)


if __name__ == "__main__":
    sys.exit(main())
