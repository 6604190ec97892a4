"""The service's interface as OpenAPI 3.1, for programs, and as a page, for people; nothing outside is loaded."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Any

from kensa import __version__
from kensa.serving.bodies import ARROW, IMAGES, JSON, MOST_MAPS, MULTIPART, NPY, PARQUET
from kensa.serving.photographs import MOST_PHOTOGRAPHS
from kensa.serving.served_release import NUMBERS, ServedRelease

if TYPE_CHECKING:
    from kensa.serving.service import ServiceLimits

REFUSALS = {
    "400": "the body is not what Content-Type says",
    "401": "no token, or another",
    "408": "the body did not come in time",
    "413": "the body or its content is too large",
    "415": "another Content-Type",
    "422": "the maps or photographs do not fit the release",
    "429": "the queue is full: come again after Retry-After seconds",
}
FILES = {
    "type": "object",
    "properties": {"photograph": {"type": "array", "items": {"type": "string", "format": "binary"}}},
}
SUMMARIES = {
    "/v1/release": "What is known of the release: map size, modes, units, thresholds",
    "/health": "That the process lives, and which release judges",
    "/ready": "200 while there is a place for a request, else 503",
    "/metrics": "Metrics for Prometheus",
}


def description(release: ServedRelease, limits: ServiceLimits) -> dict[str, Any]:
    """The OpenAPI document."""
    paths: dict[str, Any] = {"/v1/verdicts": {"post": _verdicts(release, limits)}}
    paths |= {
        path: {"get": {"summary": text, "responses": {"200": {"description": "OK"}}}}
        for path, text in SUMMARIES.items()
    }
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Kensa: verdicts on inspection maps", "version": __version__},
        "paths": paths,
    }
    if limits.token:
        document["components"] = {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}}
        document["security"] = [{"token": []}]
    return document


def _verdicts(release: ServedRelease, limits: ServiceLimits) -> dict[str, Any]:
    rows, cols = release.data.rows, release.data.cols
    maps = {"type": "array", "items": {"type": "array"}, "maxItems": MOST_MAPS}
    names = {"type": "array", "items": {"type": ["string", "null"]}}
    body = {"type": "object", "required": ["maps"], "properties": {"maps": maps, "parts": names}}
    binary = {"schema": {"type": "string", "format": "binary"}}
    text = (
        f"Maps (n, {rows}, {cols}) or (n, {rows * cols}), row by row, in the unit of the training maps; a body of at "
        f"most {limits.max_body:,} bytes and {MOST_MAPS:,} maps. A table has a column map, or {rows * cols} columns "
        "data0…, and may have a column part."
    )
    content = {JSON: {"schema": body}, **dict.fromkeys((NPY, PARQUET, ARROW), binary)}
    if release.standard is not None:
        content |= {**dict.fromkeys(IMAGES, binary), MULTIPART: {"schema": FILES}}
        text += _photographs(release.facts["photographs"])
    refusals = {status: {"description": text} for status, text in REFUSALS.items()}
    return {
        "summary": "Verdicts on maps" if release.standard is None else "Verdicts on maps and photographs",
        "description": text,
        "requestBody": {"required": True, "content": content},
        "responses": {
            "200": {"description": "The verdicts", "content": {JSON: {"schema": _answer(release)}, ARROW: binary}},
            **refusals,
        },
    }


def _photographs(facts: dict[str, Any]) -> str:
    colour = "grey" if facts["channels"] == 1 else "colour"
    return (
        f" Photographs of {facts['height']}×{facts['width']} pixels in {colour}: one as it is, or at most "
        f"{MOST_PHOTOGRAPHS} files of a form."
    )


def _answer(release: ServedRelease) -> dict[str, Any]:
    number = {"type": ["number", "null"]}
    fields = {
        "row": {"type": "integer"},
        "part": {"type": ["string", "null"]},
        "verdict": {"enum": release.facts["verdicts"]},
        "mode": {"enum": release.facts["modes"]},
        **dict.fromkeys(NUMBERS, number),
    }
    fields |= {} if release.standard is None else {"registered": {"type": "boolean"}}
    verdict = {"type": "object", "properties": fields}
    texts = {"release": {"type": "string"}, "digest": {"type": "string"}}
    return {"type": "object", "properties": {**texts, "verdicts": {"type": "array", "items": verdict}}}


def page(document: dict[str, Any]) -> str:
    """The document as a page."""
    entries = "".join(
        f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(entry['summary'])}</p>"
        f"<p>{escape(entry.get('description', ''))}</p>"
        + "".join(
            f"<li><b>{status}</b> {escape(answer['description'])}</li>" for status, answer in entry["responses"].items()
        )
        for path, methods in document["paths"].items()
        for method, entry in methods.items()
    )
    style = (
        "body{font:16px sans-serif;margin:2rem auto;max-width:50rem;padding:0 1rem}"
        "pre{overflow:auto;background:#f4f4f4;padding:1rem}h2{font-size:1.1rem;margin-top:2rem}li{margin-left:1.5rem}"
    )
    title = escape(document["info"]["title"])
    return (
        f"<!doctype html><title>{title}</title><meta name=viewport content='width=device-width'><style>{style}</style>"
        f"<h1>{title}</h1>{entries}<h2>OpenAPI</h2><p><a href=/openapi.json>/openapi.json</a></p>"
        f"<details><summary>The whole document</summary><pre>{escape(json.dumps(document, indent=2))}</pre></details>"
    )
