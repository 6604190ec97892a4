"""The interface as OpenAPI and as a page; nothing of a release's names becomes HTML."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from kensa.serving.openapi import description, page
from kensa.serving.service import ServiceLimits
from tasks.config.run import DataConfig

FACTS = {"verdicts": ["good"], "modes": ["<b>", "1"]}
RELEASE = SimpleNamespace(data=DataConfig(rows=2, cols=3), facts=FACTS, standard=None)
CAMERA = SimpleNamespace(
    data=DataConfig(rows=2, cols=3),
    facts={**FACTS, "photographs": {"height": 20, "width": 30, "channels": 3}},
    standard=Path("standard.npz"),
)


def test_it_names_the_size_of_a_map_the_limits_and_the_modes():
    document = description(RELEASE, ServiceLimits(max_body=1000))
    post = document["paths"]["/v1/verdicts"]["post"]
    assert "Maps (n, 2, 3) or (n, 6)" in post["description"]
    assert "1,000 bytes" in post["description"]
    fields = post["responses"]["200"]["content"]["application/json"]["schema"]["properties"]["verdicts"]["items"]
    assert fields["properties"]["mode"] == {"enum": ["<b>", "1"]}
    assert "security" not in document
    assert "security" in description(RELEASE, ServiceLimits(token="x" * 16))


def test_photographs_are_described_where_the_release_takes_them():
    documents = [description(release, ServiceLimits()) for release in (RELEASE, CAMERA)]
    without, post = (document["paths"]["/v1/verdicts"]["post"] for document in documents)
    assert "Photographs of 20×30 pixels in colour" in post["description"]
    more = set(post["requestBody"]["content"]) - set(without["requestBody"]["content"])
    assert more == {"multipart/form-data", "image/png", "image/tiff", "image/bmp", "image/jpeg"}


def test_the_page_escapes_what_it_shows():
    text = page(description(RELEASE, ServiceLimits()))
    assert "<b>" not in text.partition("<details>")[2]
    assert "POST /v1/verdicts" in text
