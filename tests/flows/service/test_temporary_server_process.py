"""The process that must not outlive its parent."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from flows.service import temporary_server_process


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has ended")
def test_a_server_whose_parent_has_ended_does_not_start():
    words = [sys.executable, "-P", "-m", "flows.service.temporary_server_process", "1", str(os.getppid())]
    assert subprocess.run(words, check=False, timeout=60).returncode == 0


def test_without_a_parent_it_serves_prefect_s_application(monkeypatch):
    served = {}
    monkeypatch.setattr("uvicorn.run", lambda application, **options: served.update(options, application=application))
    temporary_server_process.main(8999, 0)
    assert (served["application"], served["port"]) == ("flows.service.server_process:create_temporary_server", 8999)
