"""A Dask cluster is asked before anything is trained: nobody there, nobody works there, or nothing to ask with."""

from __future__ import annotations

import subprocess
import sys

import pytest
from support.factory import BIN, until
from support.prefect_server import free_port

from flows.service.cluster import require_cluster
from tasks.core.errors import ClusterUnreachable


@pytest.mark.slow
def test_no_cluster_there():
    address = f"tcp://127.0.0.1:{free_port()}"
    with pytest.raises(
        ClusterUnreachable, match=rf"--dask {address}: expected a Dask scheduler such as tcp://"
    ) as error:
        require_cluster(address, "--dask")
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_a_cluster_without_workers(tmp_path):
    address, log = f"tcp://127.0.0.1:{free_port()}", tmp_path / "scheduler.log"
    command = [BIN / "dask", "scheduler", "--host", "127.0.0.1", "--port", address.rpartition(":")[2], "--no-dashboard"]
    with log.open("w") as file:
        scheduler = subprocess.Popen([*map(str, command)], cwd=tmp_path, stdout=file, stderr=file)
    try:
        until(lambda: "Scheduler at" in log.read_text(), 60, "the scheduler listens")
        with pytest.raises(ClusterUnreachable, match="expected workers, found none; start dask worker"):
            require_cluster(address, "evaluate.dask")
    finally:
        scheduler.terminate()
        scheduler.wait(60)


def test_without_the_extra(monkeypatch):
    """Its import fails as where it is not installed."""
    monkeypatch.setitem(sys.modules, "prefect_dask", None)
    with pytest.raises(
        ClusterUnreachable, match="--dask: expected the package prefect-dask, found none; run make setup EXTRAS=dask in"
    ):
        require_cluster("tcp://127.0.0.1:9", "--dask")
