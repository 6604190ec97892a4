"""One message each at promotion, rejection and failure, through a real Prefect block."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyarrow.parquet as pq
import pytest
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from support.factory import until
from support.flow_runs import in_place, run_flow
from support.inspected_parts import inspected, map_column

from flows.retrain import retrain
from tasks.config.overrides import apply_overrides
from tasks.core.errors import UnfitData

pytestmark = pytest.mark.slow


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


def save_block(address):
    """The block `custom-webhook/kensa`, which posts subject and body to an address."""
    fields = {"subject": "{{subject}}", "body": "{{body}}"}
    CustomWebhookNotificationBlock(name="kensa", url=address, json_data=fields).save("kensa", overwrite=True)


@pytest.fixture
def place(served, server, messages, hidden):
    """A place whose kensa.toml names the block, with a folder of good parts and one of unfit ones; flows run here."""
    (served.folder / "kensa.toml").write_text('notify = "custom-webhook/kensa"\n[lines.boards]\ntrain = "good"\n')
    for name, parts in (("good", hidden(160)), ("unfit", inspected(1, 12))):
        (served.folder / name).mkdir()
        pq.write_table(map_column(parts), served.folder / name / "table.parquet")
    with in_place(served.folder, server):
        save_block(messages[0])
        yield served


def test_promotion_silence_rejection_and_failure(place, messages, small_config):
    _, received = messages
    config = small_config("good")
    assert run_flow(retrain, config=config).result.status == "released"
    assert len(received) == 1
    assert received[0]["subject"].startswith("Kensa released: good@")
    assert "v1 is champion; verification AUROC " in received[0]["body"]
    assert "report.html" in received[0]["body"]

    assert run_flow(retrain, config=config).result.status == "unchanged"
    assert len(received) == 1, "nothing new is no news"

    rejected = run_flow(retrain, config=apply_overrides(config, ["gate.beat_raw_by=1"])).result
    assert rejected.status == "rejected"
    assert len(received) == 2
    assert received[1]["subject"].startswith("Kensa rejected: good@")
    assert rejected.reasons[0] in received[1]["body"]

    assert isinstance(run_flow(retrain, config=small_config("unfit")).error, UnfitData)
    assert len(received) == 3
    assert received[2]["subject"].startswith("Kensa failed: ")
    assert "cannot be trained on" in received[2]["body"]


@pytest.mark.parametrize("block", ["custom-webhook/nobody", "custom-webhook/kensa"], ids=["missing", "silent"])
def test_a_block_that_is_missing_or_does_not_answer_fails_no_run(place, server, messages, small_config, block):
    """The work is done; the log says that nobody was notified."""
    (place.folder / "kensa.toml").write_text(f'notify = "{block}"\n[lines.boards]\ntrain = "good"\n')
    save_block("http://127.0.0.1:9/")
    run = run_flow(retrain, config=small_config("unfit"))
    assert isinstance(run.error, UnfitData)
    warning = "kensa.toml: the notification 'Kensa failed: "
    logs = until(lambda: [log for log in server.logs(run.id) if log.startswith(warning)], 30, "the log says so")
    assert "Traceback" not in logs[0]
    assert messages[1] == []
