"""`kensa serve` as a real process: verdicts in every form, refusals, a token, and promotions under load."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import subprocess
import sys
from collections import Counter

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.serving import VerdictService

from kensa.serving.bodies import ARROW, JSON, NPY, PARQUET
from kensa.serving.served_release import NUMBERS
from tasks.registry.champion import promote, rollback

pytestmark = pytest.mark.slow
TOKEN = "a token that nobody knows"
PROMOTIONS, CLIENTS = 40, 6


@pytest.fixture(scope="module")
def service(old_line, opened, tmp_path_factory):
    """The champion v2, served without a token."""
    with VerdictService(tmp_path_factory.mktemp("serve"), old_line.artifacts, "--max-body", "1") as running:
        yield running
        assert running.stop() == 0
        assert "Traceback" not in running.log.read_text()


@pytest.fixture(scope="module")
def scored(old_line, tmp_path_factory):
    """What `kensa score` says of the same parts, by release."""
    folder, tables = tmp_path_factory.mktemp("score"), {}
    for version in ("v1", "v2"):
        words = ["score", str(old_line.parts), "--artifacts", str(old_line.artifacts), "--release", version]
        out = folder / f"{version}.parquet"
        done = subprocess.run(
            [sys.executable, "-m", "kensa", *words, "--out", str(out)], capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
        tables[version] = pq.read_table(out)
    return tables


def npy(maps):
    file = io.BytesIO()
    np.save(file, maps)
    return file.getvalue()


def arrow(table):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def require_equal(verdicts, table, start=0):
    """The verdicts (a list of dictionaries) are the table's, to the last digit of the parity gate."""
    expected = table.slice(start, len(verdicts)).to_pylist()
    for name in ("verdict", "mode"):
        assert [row[name] for row in verdicts] == [row[name] for row in expected]
    for name in NUMBERS:
        found, then = ([row[name] for row in rows] for rows in (verdicts, expected))
        np.testing.assert_allclose(found, then, rtol=1e-4, atol=1e-4)


def test_every_form_has_the_verdicts_of_kensa_score(service, old_line, scored):
    table = pq.read_table(old_line.parts)
    forms = {
        JSON: json.dumps({"maps": old_line.maps.tolist()}).encode(),
        NPY: npy(old_line.maps),
        PARQUET: old_line.parts.read_bytes(),
        ARROW: arrow(table),
    }
    for kind, body in forms.items():
        answer = service.post(body, kind)
        assert answer.status_code == 200, (kind, answer.text)
        content = answer.json()
        assert (content["release"], answer.headers["kensa-release"]) == ("v2", "v2")
        assert [row["row"] for row in content["verdicts"]] == list(range(600))
        require_equal(content["verdicts"], scored["v2"])
    answer = service.post(forms[NPY], NPY, Accept=ARROW)
    found = pa.ipc.open_stream(answer.content).read_all()
    require_equal(found.to_pylist(), scored["v2"])
    assert found.schema.metadata[b"release"] == b"v2"


def test_names_come_back_and_a_map_that_is_not_finite_is_unreadable(service, old_line):
    maps = old_line.maps[:2].tolist()
    maps[1][0] = float("nan")
    answer = service.post(json.dumps({"maps": maps, "parts": ["A-17", None]}).encode(), JSON)
    first, second = answer.json()["verdicts"]
    assert (first["part"], second["part"], second["verdict"], second["score"]) == ("A-17", None, "unreadable", None)


def test_the_release_and_the_interface_are_described(service):
    facts = service.get("/v1/release").json()
    assert (facts["release"], facts["rows"], facts["cols"], len(facts["digest"])) == ("v2", 4, 5, 64)
    document = service.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) == {"/v1/verdicts", "/v1/release", "/health", "/ready", "/metrics"}
    assert set(document["paths"]["/v1/verdicts"]["post"]["requestBody"]["content"]) == {JSON, NPY, PARQUET, ARROW}
    page = service.get("/docs")
    assert "POST /v1/verdicts" in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert service.get("/health").json() == {"status": "ok", "release": "v2", "problem": ""}
    assert service.get("/ready").json()["status"] == "ready"


def test_what_is_refused_closes_the_connection_and_changes_nothing(service, old_line):
    large = npy(np.zeros((20_000, 20)))
    alone = service.post(b"x", "image/png")
    assert (alone.status_code, alone.json()["refused"]) == (
        415,
        "Content-Type: expected maps, found photographs: v2 carries no standard; train on maps of kensa maps, or start "
        "the service with --standard",
    )
    refused = {
        415: (b"x", "text/plain"),
        400: (b"x", NPY),
        422: (npy(np.zeros((1, 3))), NPY),
        413: (large, NPY),
    }
    for status, (body, kind) in refused.items():
        answer = service.post(body, kind)
        assert (answer.status_code, set(answer.json())) == (status, {"refused"})
        assert answer.headers["connection"] == "close"
    chunks = iter([large[:500_000], large[500_000:1_200_000], large[1_200_000:]])
    answer = httpx.post(f"{service.address}/v1/verdicts", content=chunks, headers={"Content-Type": NPY}, timeout=30)
    assert answer.status_code == 413
    assert service.get("/v1/verdicts").status_code == 405
    assert httpx.get(f"{service.address}/ready", headers={"Host": "rebound.example"}).status_code == 400
    assert service.post(npy(old_line.maps), NPY).status_code == 200


def test_metrics_count_requests_and_verdicts(service, old_line):
    def read():
        families = text_string_to_metric_families(service.get("/metrics").text)
        return {(s.name, *sorted(s.labels.values())): s.value for family in families for s in family.samples}

    before = read()
    verdicts = Counter(row["verdict"] for row in service.post(npy(old_line.maps), NPY).json()["verdicts"])
    service.post(b"x", "text/plain")
    after = read()
    for verdict, count in verdicts.items():
        key = ("kensa_serve_verdicts_total", *sorted((verdict, "v2")))
        assert after[key] - before.get(key, 0) == count
    for status in ("200", "415"):
        assert after["kensa_serve_requests_total", status] - before.get(("kensa_serve_requests_total", status), 0) == 1
    assert after["kensa_serve_request_seconds_count",] > before["kensa_serve_request_seconds_count",]
    assert (after["kensa_serve_champion_not_served",], after["kensa_serve_requests_present",]) == (0, 0)
    assert any(name == "kensa_serve_release_info" and "v2" in labels for name, *labels in after)


def test_a_full_queue_says_come_again(old_line, opened, tmp_path):
    """Three connections that send their body slowly take the three places."""
    with VerdictService(tmp_path, old_line.artifacts, "--workers", "1", "--queue", "2") as full:
        slow = []
        for _ in range(3):
            connection = socket.create_connection(("127.0.0.1", full.port), timeout=30)
            head = (
                f"POST /v1/verdicts HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {NPY}\r\nContent-Length: 999\r\n\r\n"
            )
            connection.sendall(head.encode() + b"x")
            slow.append(connection)
        answers = [full.post(npy(old_line.maps), NPY) for _ in range(2)]
        while not (taken := [answer for answer in answers if answer.status_code == 429]):
            answers = [full.post(npy(old_line.maps), NPY)]
        assert taken[-1].headers["retry-after"] == "1"
        assert full.get("/ready").status_code == 503
        assert full.get("/health").status_code == 200
        for connection in slow:
            connection.close()
        answer = full.post(npy(old_line.maps), NPY)
        while answer.status_code == 429:
            answer = full.post(npy(old_line.maps), NPY)
        assert answer.status_code == 200
        assert full.stop() == 0
        assert "Traceback" not in full.log.read_text()


def test_nobody_comes_in_without_the_token(old_line, opened, tmp_path):
    with VerdictService(tmp_path, old_line.artifacts, KENSA_SERVE_TOKEN=TOKEN) as guarded:
        body = npy(old_line.maps[:1])
        for header in ({}, {"Authorization": TOKEN}, {"Authorization": f"Bearer {TOKEN[:-1]}"}, {"Authorization": "ä"}):
            headers = {name: text.encode() for name, text in {"Content-Type": NPY, **header}.items()}
            answer = httpx.post(f"{guarded.address}/v1/verdicts", content=body, headers=headers, timeout=30)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
            for path in ("/v1/release", "/metrics"):
                assert httpx.get(guarded.address + path, headers=headers).status_code == 401
        right = {"Authorization": f"Bearer {TOKEN}"}
        assert guarded.post(body, NPY, **right).status_code == 200
        assert guarded.get("/metrics", **right).status_code == 200
        assert guarded.get("/health").status_code == 200
        assert guarded.get("/openapi.json").json()["security"] == [{"token": []}]
        assert TOKEN not in guarded.log.read_text()


def test_promotions_under_load_lose_no_request_and_halve_none(service, old_line, scored):
    """Both releases have one tower and two thresholds: the margin says which judged each row of an answer."""
    margins = {version: np.array(table["margin"]) for version, table in scored.items()}
    assert np.abs(margins["v1"] - margins["v2"]).min() > 1e-3
    answers = asyncio.run(under_load(service, old_line, margins))
    releases = Counter(version for version, _ in answers)
    assert set(releases) == {"v1", "v2"}, releases
    assert all(fits for _, fits in answers)
    assert service.get("/health").json()["problem"] == ""
    print(f"{len(answers)} requests, {dict(releases)}, {PROMOTIONS} promotions")


async def under_load(service, line, margins):
    """Clients ask without a pause while the champion changes; returns each answer's release, and whether it fits."""
    answers, ended, starts = [], asyncio.Event(), iter(range(10**9))
    address = f"{service.address}/v1/verdicts"

    async def client():
        async with httpx.AsyncClient(timeout=60) as session:
            while not ended.is_set():
                start = next(starts) * 37 % 560
                body = npy(line.maps[start : start + 40])
                answer = await session.post(address, content=body, headers={"Content-Type": NPY})
                assert answer.status_code == 200, answer.text
                content = answer.json()
                found = [row["margin"] for row in content["verdicts"]]
                expected = margins[content["release"]][start : start + 40]
                answers.append((content["release"], len(found) == 40 and np.allclose(found, expected, atol=1e-4)))

    async def promoter():
        for number in range(PROMOTIONS):
            move = rollback if number % 2 else lambda folder: promote(folder, "v1")
            await asyncio.to_thread(move, line.artifacts)
            await asyncio.sleep(0.4)
        ended.set()

    await asyncio.gather(promoter(), *(client() for _ in range(CLIENTS)))
    return answers
