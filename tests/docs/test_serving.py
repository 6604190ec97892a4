"""docs/serving.md: its program judges what comes by MQTT, from a real broker, also when it was killed in between."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import shutil
import socket
import subprocess
import sys
import time

import paho.mqtt.client as mqtt
import pytest
from support.photographs import carry_standard, small_standard, write_photographs
from support.prefect_server import free_port
from support.project import ROOT
from support.releases import NO_DRAFTS
from support.serving import VerdictService

from tasks.imaging.demo import demo_photographs

PAGE = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
(PROGRAM,) = re.findall(r"<!-- mqtt: .*? -->\n```python\n(.*?)```", PAGE, re.S)
MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")

pytestmark = [pytest.mark.slow, pytest.mark.skipif(MOSQUITTO is None, reason="needs mosquitto: make broker")]


def answers(port):
    with contextlib.closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def broker(tmp_path):
    """The port of a broker of our own."""
    port = free_port()
    (tmp_path / "mosquitto.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    with (tmp_path / "mosquitto.log").open("w") as log:
        process = subprocess.Popen([MOSQUITTO, "-c", tmp_path / "mosquitto.conf"], stdout=log, stderr=log)
    end = time.monotonic() + 30
    while not answers(port):
        assert process.poll() is None, (tmp_path / "mosquitto.log").read_text()
        assert time.monotonic() < end
        time.sleep(0.05)
    yield port
    process.terminate()
    process.wait(30)


def test_photographs_that_come_by_mqtt_are_judged(small_line, broker, tmp_path):
    artifacts = tmp_path / "artifacts"
    shutil.copytree(small_line.artifacts_path, artifacts, ignore=NO_DRAFTS)
    carry_standard(artifacts, small_standard(tmp_path / "standard"))
    photos = sorted(write_photographs(tmp_path / "photos", demo_photographs([(0, i) for i in range(4)])).iterdir())
    (tmp_path / "listen.py").write_text(PROGRAM)
    verdicts: queue.Queue[tuple[str, dict]] = queue.Queue()
    line = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="line", clean_session=False)
    line.on_message = lambda client, data, message: verdicts.put((message.topic, json.loads(message.payload)))
    line.connect("127.0.0.1", broker)
    line.subscribe("line7/verdict/+", qos=1)
    line.loop_start()

    def send(number, content=None):
        line.publish(f"line7/photograph/A-{number}", content or photos[number].read_bytes(), qos=1).wait_for_publish(30)

    def wait_for(part):
        while (entry := verdicts.get(timeout=60))[0] != f"line7/verdict/{part}":
            pass
        return entry[1]

    with VerdictService(tmp_path, artifacts) as service:
        env = {**os.environ, "KENSA_SERVICE": service.address, "MQTT_PORT": str(broker)}
        command = [sys.executable, tmp_path / "listen.py"]
        listener = subprocess.Popen(command, env=env)
        try:
            while verdicts.empty():  # until it has subscribed
                send(0)
                time.sleep(0.5)
            verdict = wait_for("A-0")
            assert (verdict["part"], verdict["release"], verdict["registered"]) == ("A-0", "v1", True)
            send(1, b"no photograph")
            assert "expected a PNG, TIFF, BMP or JPEG" in wait_for("A-1")["refused"]
            listener.kill()
            listener.wait()
            send(2)
            send(3)
            listener = subprocess.Popen(command, env=env)
            assert {wait_for(part)["verdict"] for part in ("A-2", "A-3")} <= {"good", "defect", "unknown"}
        finally:
            listener.kill()
            listener.wait()
    line.loop_stop()
    line.disconnect()
