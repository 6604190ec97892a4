"""The reviewers' page over HTTP: what it answers, and that none of these attacks gets in."""

from __future__ import annotations

import json
import threading

import httpx
import pytest
from support.reviewing import SCRIPT, TOKEN, open_session, served_review

from kensa.review.service import MAX_BODY, new_token
from tasks.review.decisions import decisions_of, standing

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def session(small_line, hidden, tmp_path_factory):
    return open_session(small_line, hidden(each=10, seed=9), tmp_path_factory.mktemp("review"))


@pytest.fixture(scope="module")
def address(session):
    with served_review(session) as url:
        yield url


def post(address: str, where: str = f"{TOKEN}/decisions", values: object = None, **headers: str) -> httpx.Response:
    """As the page's own script sends it, but for what is given."""
    own = {"Origin": address, "Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"} | headers
    content = values if isinstance(values, bytes) else json.dumps(values).encode()
    own = {name.replace("_", "-"): text for name, text in own.items() if text}
    return httpx.post(f"{address}/{where}", content=content, headers=own, timeout=60)


def answer(session, number: int = 1, **changes) -> dict:
    return {"record": session.items[number - 1].key, "mode": "2", "by": "M. Sato", "known": 0} | changes


def test_the_start_leads_to_the_first_open_part_and_the_page_may_do_little(session, address):
    page = httpx.get(f"{address}/{TOKEN}/", follow_redirects=True, timeout=60)
    assert page.status_code == 200
    assert page.url.path.startswith(f"/{TOKEN}/parts/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    again = httpx.get(str(page.url), timeout=60).headers["content-security-policy"]
    assert again != policy, "each page has a nonce of its own"


@pytest.mark.parametrize(
    "path", ["", "parts/1", "x/parts/1", f"{TOKEN[:-1]}/parts/1", f"{TOKEN}x/", f"{TOKEN}/parts/0"]
)
def test_without_the_token_nothing_is_found(address, path):
    found = httpx.get(f"{address}/{path}", timeout=60)
    assert found.status_code == 404
    assert TOKEN not in found.text


def test_without_the_token_nothing_is_decided(session, address):
    before = len(decisions_of(session.artifacts))
    for where in ("decisions", "x/decisions", "publish", f"{TOKEN[:-1]}/publish"):
        assert post(address, where, answer(session)).status_code == 404
    assert len(decisions_of(session.artifacts)) == before


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
        ({"Host": "evil.example", "Origin": "http://evil.example"}, 400),
    ],
)
def test_another_page_cannot_decide(session, address, headers, status):
    before = len(decisions_of(session.artifacts))
    for where in (f"{TOKEN}/decisions", f"{TOKEN}/publish"):
        assert post(address, where, answer(session), **headers).status_code == status
    assert len(decisions_of(session.artifacts)) == before


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"x" * (MAX_BODY + 1), 413),
        (b"{", 400),
        (b"[1]", 400),
        (b"\xff\xfe", 400),
        (b"[" * 10_000, 400),
        (b'{"by": "A", "mode": "2", "known": 0, "record": "no such part"}', 400),
        (b'{"by": "A", "mode": {"a": 1}, "known": 0}', 400),
    ],
)
def test_what_is_oversized_or_no_answer_is_refused_in_one_line(session, address, body, status):
    before = len(decisions_of(session.artifacts))
    reply = post(address, values=body)
    assert reply.status_code == status
    assert "\n" not in reply.json()["refused"]
    assert len(decisions_of(session.artifacts)) == before


def test_a_get_decides_nothing(session, address):
    for where in ("decisions", "publish"):
        assert httpx.get(f"{address}/{TOKEN}/{where}", timeout=60).status_code == 405


def test_a_script_in_a_name_stays_text(session, address):
    number = next(i for i, item in enumerate(session.items, 1) if item.record.id == SCRIPT)
    page = httpx.get(f"{address}/{TOKEN}/parts/{number}", timeout=60).text
    assert page.count("<script") == 1
    mode = "</script><script>1</script>"
    assert post(address, values=answer(session, number, mode=mode, by="<b>")).status_code == 200
    page = httpx.get(f"{address}/{TOKEN}/parts/{number}", timeout=60).text
    assert page.count("<script") == 1
    assert page.count("</script") == 1


def test_who_came_second_is_told_and_decides_again(session, address):
    number = len(session.items)
    assert post(address, values=answer(session, number, by="K. Ito")).status_code == 200
    late = post(address, values=answer(session, number, mode="1"))
    assert (late.status_code, late.json()["known"]) == (409, 1)
    assert late.json()["refused"] == "K. Ito decided 2 meanwhile; decide again to replace it"
    assert post(address, values=answer(session, number, mode="1", known=1)).status_code == 200
    assert standing(decisions_of(session.artifacts))[session.items[-1].key].by == "M. Sato"


def test_two_reviewers_at_once_lose_nothing(session, address):
    numbers = range(2, len(session.items))
    answers: list[int] = []

    def review(by: str, own: list[int]) -> None:
        answers.extend(post(address, values=answer(session, number, by=by)).status_code for number in own)

    halves = [list(numbers)[::2], list(numbers)[1::2]]
    threads = [threading.Thread(target=review, args=person) for person in zip(("A", "B"), halves, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    by_part = {one.record: one.by for one in standing(decisions_of(session.artifacts)).values()}
    kept = [status for status in answers if status == 200]
    for name, own in zip(("A", "B"), halves, strict=True):
        assert all(by_part[session.items[number - 1].key] in (name, "<b>") for number in own)
    assert len(kept) >= len(answers) - 1, "but for the part of the script, all were open"


def test_tokens_are_not_guessed():
    assert len(new_token()) >= 32
    assert new_token() != new_token()
