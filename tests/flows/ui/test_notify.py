"""One message each at promotion, rejection and failure, through a real Prefect block."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyarrow.parquet as pq
import pytest
from support.factory import BIN
from support.inspected_parts import inspected, map_column

pytestmark = pytest.mark.slow
SAVE = """
import sys
from prefect.blocks.notifications import CustomWebhookNotificationBlock as Block
told = {"subject": "{{subject}}", "body": "{{body}}"}
Block(name="kensa", url=sys.argv[1], json_data=told).save("kensa", overwrite=True)
"""


@pytest.fixture
def messages():
    """A loopback server; its address, and what was posted to it."""
    heard = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", heard
        server.shutdown()


@pytest.fixture
def told(served, messages, hidden):
    """A place whose kensa.toml names the block, with a folder of good parts and one of unfit ones."""
    address, heard = messages
    (served.folder / "kensa.toml").write_text('notify = "custom-webhook/kensa"\n[lines.boards]\ntrain = "good"\n')
    for name, parts in (("good", hidden(160)), ("unfit", inspected(1, 12))):
        (served.folder / name).mkdir()
        pq.write_table(map_column(parts), served.folder / name / "table.parquet")
    saved = served.run(BIN / "python", "-c", SAVE, address)
    assert saved.code == 0, saved.err
    return served, heard


def test_promotion_silence_rejection_and_failure(told):
    place, heard = told
    first = place.kensa("retrain", "--train", "good", "--json")
    assert first.told["status"] == "released", first.told
    assert len(heard) == 1
    assert heard[0]["subject"].startswith("Kensa released: good@")
    assert "v1 is champion; pair AUROC " in heard[0]["body"]
    assert "report.html" in heard[0]["body"]

    assert place.kensa("retrain", "--train", "good", "--json").told["status"] == "unchanged"
    assert len(heard) == 1, "nothing new is no news"

    rejected = place.kensa("retrain", "--train", "good", "--json", "--set", "gate.beat_raw_by=1")
    assert rejected.told["status"] == "rejected", rejected.told
    assert len(heard) == 2
    assert heard[1]["subject"].startswith("Kensa rejected: good@")
    assert rejected.told["reasons"][0] in heard[1]["body"]

    failed = place.kensa("retrain", "--train", "unfit", "--json")
    assert failed.code == 2, failed.err
    assert len(heard) == 3
    assert heard[2]["subject"].startswith("Kensa failed: ")
    assert "cannot be trained on" in heard[2]["body"]


def test_a_block_that_is_missing_or_does_not_answer_fails_no_run(told, messages):
    """The work is done; the log says that nobody was told."""
    place, heard = told
    (place.folder / "kensa.toml").write_text('notify = "custom-webhook/nobody"\n[lines.boards]\ntrain = "good"\n')
    failed = place.kensa("retrain", "--train", "unfit")
    assert failed.code == 2
    assert "kensa.toml: the notification 'Kensa failed: " in failed.err
    assert "Traceback" not in failed.err
    saved = place.run(BIN / "python", "-c", SAVE, "http://127.0.0.1:9/")
    assert saved.code == 0, saved.err
    (place.folder / "kensa.toml").write_text('notify = "custom-webhook/kensa"\n[lines.boards]\ntrain = "good"\n')
    failed = place.kensa("retrain", "--train", "unfit")
    assert failed.code == 2
    assert "kensa.toml: the notification 'Kensa failed: " in failed.err
    assert "Traceback" not in failed.err
    assert heard == []
