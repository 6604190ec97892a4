"""The interface as OpenAPI and as a page; nothing of a release's names becomes HTML."""

from __future__ import annotations

from types import SimpleNamespace

from kensa.serving.openapi import description, page
from kensa.serving.service import ServiceLimits
from tasks.config.run import DataConfig

RELEASE = SimpleNamespace(data=DataConfig(rows=2, cols=3), facts={"verdicts": ["good"], "modes": ["<b>", "1"]})


def test_it_names_the_size_of_a_map_the_limits_and_the_modes():
    document = description(RELEASE, ServiceLimits(max_body=1000))
    post = document["paths"]["/v1/verdicts"]["post"]
    assert "Maps (n, 2, 3) or (n, 6)" in post["description"]
    assert "1,000 bytes" in post["description"]
    fields = post["responses"]["200"]["content"]["application/json"]["schema"]["properties"]["verdicts"]["items"]
    assert fields["properties"]["mode"] == {"enum": ["<b>", "1"]}
    assert "security" not in document
    assert "security" in description(RELEASE, ServiceLimits(token="x" * 16))


def test_the_page_escapes_what_it_shows():
    text = page(description(RELEASE, ServiceLimits()))
    assert "<b>" not in text.partition("<details>")[2]
    assert "POST /v1/verdicts" in text
