"""How fast `kensa serve` judges: seconds of a single map at a steady rate, maps a second in batches, memory over time.

    python -m bench.speed.serving --artifacts artifacts

The service is the real command, the load comes from two client processes. Bodies are in NumPy's format.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

CLIENTS, RATE, BATCH = 2, 50, 500  # requests a second of all clients together; maps of a batch
HEADERS = {"Content-Type": "application/x-npy"}


def body_of(maps: np.ndarray) -> bytes:
    """The maps as numpy.save writes them."""
    file = io.BytesIO()
    np.save(file, maps)
    return file.getvalue()


def ask(port: int, body: bytes, seconds: float, interval: float) -> list[float]:
    """Requests of one client on one connection for so long, at most one an interval; the seconds of each.

    The time of a request begins when it is due: one that had to wait for the one before counts its wait.
    """
    connection, times = http.client.HTTPConnection("127.0.0.1", port, timeout=60), []
    began = due = time.perf_counter()
    while due - began < seconds:
        time.sleep(max(0.0, due - time.perf_counter()))
        start = due if interval else time.perf_counter()
        connection.request("POST", "/v1/verdicts", body, HEADERS)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"the service answers {answer.status}")
        times.append(time.perf_counter() - start)
        due = due + interval if interval else time.perf_counter()
    return times


def load(port: int, body: bytes, seconds: float, rate: float = 0) -> np.ndarray:
    """The seconds of all clients' requests; rate: requests a second of all together, 0 for as many as possible."""
    interval = CLIENTS / rate if rate else 0.0
    with ProcessPoolExecutor(CLIENTS) as pool:
        runs = [pool.submit(ask, port, body, seconds, interval) for _ in range(CLIENTS)]
        return np.concatenate([run.result() for run in runs])


def memory_of(process: int) -> float:
    """Resident memory in MB."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def wait_for(port: int, process: subprocess.Popen) -> dict[str, int]:
    """The facts of the release, once the service answers."""
    while process.poll() is None:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", "/v1/release")
            return json.loads(connection.getresponse().read())
        except OSError:
            time.sleep(0.2)
    raise RuntimeError("the service ended; see its messages above")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def main() -> None:
    """Measure and print."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--artifacts", type=Path, default=Path("artifacts"))
    words.add_argument("--seconds", type=float, default=20, help="of each measurement")
    words.add_argument("--long", type=float, default=60, help="seconds of the load under which memory is watched")
    asked = words.parse_args()
    port = free_port()
    command = [sys.executable, "-m", "kensa", "serve", "--port", str(port), "--artifacts", str(asked.artifacts)]
    service = subprocess.Popen(command, env={**os.environ})
    try:
        facts = wait_for(port, service)
        maps = np.random.default_rng(0).gamma(1.0, 1.0, (BATCH, facts["rows"] * facts["cols"])).astype(np.float32)
        one, many = body_of(maps[:1]), body_of(maps)
        load(port, one, 2)
        steady = load(port, one, asked.seconds, RATE) * 1000
        batches = load(port, many, asked.seconds)
        before = memory_of(service.pid)
        fast = load(port, one, asked.long)
        print(f"{facts['rows']} × {facts['cols']} maps, {os.cpu_count()} cores, {CLIENTS} clients")
        print(f"one map, {RATE} a second: p50 {np.median(steady):.1f} ms, p99 {np.quantile(steady, 0.99):.1f} ms")
        print(f"batches of {BATCH}: {len(batches) * BATCH / asked.seconds:,.0f} maps a second")
        print(f"one map, as many as possible: {len(fast) / asked.long:,.0f} requests a second")
        print(f"memory: {before:.0f} MB, after {len(fast):,} more requests {memory_of(service.pid):.0f} MB")
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait(60)


if __name__ == "__main__":
    main()
