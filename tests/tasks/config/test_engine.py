"""Workers are a scheduler or processes of this machine; anything else is refused."""

from __future__ import annotations

import pytest

from tasks.config.engine import EngineConfig
from tasks.core.errors import BadSetting


@pytest.mark.parametrize("address", [None, "tcp://10.0.0.5:8786", "tls://scheduler:8786", "local:1", "local:16"])
def test_workers(address):
    assert EngineConfig(dask=address).dask == address


@pytest.mark.parametrize("address", ["", "2", "local", "local:0", "local:x", "local:2 ", "10.0.0.5:8786", "http://a:1"])
def test_what_names_no_workers_is_refused(address):
    with pytest.raises(
        BadSetting, match=f"engine.dask {address}: expected a scheduler's address such as tcp://.*local:2"
    ):
        EngineConfig(dask=address)
